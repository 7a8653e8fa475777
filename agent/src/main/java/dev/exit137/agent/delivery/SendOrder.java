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
 * What goes onto the stream when. Where the aggregator refuses an event for what it is, it does not say which: then
 * events go one at a time until the culprit is found. That one goes after all others, alone, and no more once the
 * aggregator has taken others and refuses it again. Agent-worker thread.
 */
final class SendOrder {
  private final Predicate<KeptEvent> maySend;
  private final ArrayDeque<KeptEvent> unsent = new ArrayDeque<>();
  private final ArrayDeque<KeptEvent> unsentRefused = new ArrayDeque<>();
  private final Map<String, KeptEvent> inFlight = new LinkedHashMap<>();
  /** Of the events that were refused: how many had been acknowledged by then. */
  private final Map<String, Long> refusedAt = new LinkedHashMap<>();
  private long acknowledged;
  private int oneByOne;

  /** @param maySend whether an event that was added is still to be sent */
  SendOrder(Predicate<KeptEvent> maySend) {
    this.maySend = maySend;
  }

  void add(KeptEvent event) {
    (refusedAt.containsKey(event.id()) ? unsentRefused : unsent).addLast(event);
  }

  /** A new stream: everything is to be sent on it. */
  void restart(Collection<KeptEvent> all) {
    unsent.clear();
    unsentRefused.clear();
    inFlight.clear();
    all.forEach(this::add);
  }

  /** The next event; null when there is none now. */
  @Nullable KeptEvent poll() {
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

  /** Whether the event in flight is to be the only message that can be refused. */
  boolean isCareful() {
    return oneByOne > 0 || (!refusedAt.isEmpty() && inFlight.keySet().stream().anyMatch(refusedAt::containsKey));
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
   * The stream has ended because of what was sent on it.
   *
   * @param forGood the aggregator will never take it; else it may, later
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

  /** It was polled, and is not sent. */
  void remove(KeptEvent event) {
    inFlight.remove(event.id(), event);
  }

  /** It is not to be sent any more. */
  void forget(KeptEvent event) {
    refusedAt.remove(event.id());
  }

  /** Events that go after all others. */
  int refused() {
    return refusedAt.size();
  }
}
