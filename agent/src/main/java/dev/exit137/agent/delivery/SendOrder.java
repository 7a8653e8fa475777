package dev.exit137.agent.delivery;

import dev.exit137.proto.v1.EventAck;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Decides which event goes onto the stream next. An aggregator that rejects an event does not say which one. Then
 * events go one at a time until the rejected one is found. That event goes after all others, alone. Once the aggregator
 * has taken others and rejects it again, it is not sent any more. Agent-worker thread.
 */
final class SendOrder {
    private final Predicate<KeptEvent> maySend;
    private final ArrayDeque<KeptEvent> unsent = new ArrayDeque<>();
    private final ArrayDeque<KeptEvent> unsentRefused = new ArrayDeque<>();
    private final Map<String, KeptEvent> inFlight = new LinkedHashMap<>();
    /** For each rejected event: the number of events acknowledged before its last rejection. */
    private final Map<String, Long> refusedAt = new LinkedHashMap<>();

    private long acknowledged;
    private int oneByOne;

    /** @param maySend whether an added event is still to be sent */
    SendOrder(Predicate<KeptEvent> maySend) {
        this.maySend = maySend;
    }

    void add(KeptEvent event) {
        (refusedAt.containsKey(event.id()) ? unsentRefused : unsent).addLast(event);
    }

    /** Starts a new stream, on which all events are to be sent. */
    void restart(Collection<KeptEvent> all) {
        unsent.clear();
        unsentRefused.clear();
        inFlight.clear();
        all.forEach(this::add);
    }

    /** Returns the next event; null if there is none now. */
    @Nullable
    KeptEvent poll() {
        if (!inFlight.isEmpty() && isCareful()) {
            return null;
        }
        KeptEvent next = poll(unsent);
        if (next == null && inFlight.isEmpty()) {
            next = poll(unsentRefused);
        }
        if (next != null) {
            inFlight.put(next.id(), next);
        } else if (inFlight.isEmpty()) {
            oneByOne = 0;
        }
        return next;
    }

    private @Nullable KeptEvent poll(ArrayDeque<KeptEvent> queue) {
        KeptEvent next = queue.pollFirst();
        while (next != null && !maySend.test(next)) {
            next = queue.pollFirst();
        }
        return next;
    }

    /** Returns whether the event in flight must be the only message that can be rejected. */
    boolean isCareful() {
        return oneByOne > 0
                || (!refusedAt.isEmpty() && inFlight.keySet().stream().anyMatch(refusedAt::containsKey));
    }

    int inFlight() {
        return inFlight.size();
    }

    void acknowledge(EventAck ack) {
        KeptEvent sent = inFlight.get(ack.getEventId());
        if (sent != null && sent.key.revision() <= ack.getRevision()) {
            inFlight.remove(ack.getEventId());
            acknowledged++;
            oneByOne = Math.max(0, oneByOne - 1);
        }
    }

    /**
     * Handles the end of a stream that a message on it caused.
     *
     * @param forGood whether the aggregator will never take the event; if false, it may take it later
     * @return the event that is not to be sent again, if that is certain
     */
    Optional<KeptEvent> refused(boolean forGood) {
        if (inFlight.size() != 1) {
            oneByOne = inFlight.size();
            return Optional.empty();
        }
        KeptEvent culprit = inFlight.values().iterator().next();
        oneByOne = 0;
        Long before = refusedAt.put(culprit.id(), acknowledged);
        boolean othersWereTaken = before != null && before < acknowledged;
        return forGood && othersWereTaken ? Optional.of(culprit) : Optional.empty();
    }

    /** Removes an event that was polled and is not sent. */
    void remove(KeptEvent event) {
        inFlight.remove(event.id(), event);
    }

    /** Forgets an event that is not to be sent any more. */
    void forget(KeptEvent event) {
        refusedAt.remove(event.id());
    }

    /** Returns the number of events that go after all others. */
    int refused() {
        return refusedAt.size();
    }
}
