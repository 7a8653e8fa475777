package dev.exit137.agent.delivery;

import dev.exit137.agent.delivery.spool.Position;
import dev.exit137.agent.delivery.spool.Spool;
import dev.exit137.daemon.collect.BoundedMap;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.state.v1.SpoolSegment;
import dev.exit137.proto.v1.EventAck;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.Losses;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The events that no aggregator has acknowledged: all in the spool, and the oldest of them also in memory, as the bytes
 * that are sent. None is sent before it is on the disk. While the disk takes no writes, events are kept and sent from
 * memory alone; the caller must bound their number. Agent-worker thread.
 */
final class Outbox {
    private static final Logger LOG = LoggerFactory.getLogger(Outbox.class);
    private static final int WINDOW_EVENTS = 256;
    private static final long WINDOW_BYTES = 4 << 20;
    /** Maximum number of events with a known newest revision; of older events, each revision in the spool is sent. */
    private static final int MAX_NEWEST = 4096;

    private static final String PLACE = "spool";

    /** The highest revision of an event. */
    private static final class Newest {
        private int revision;
        private @Nullable Position record;
    }

    private final Spool spool;
    private final Losses before;
    private final Guard guard;
    /** Not on the disk yet. */
    private final Map<String, KeptEvent> pending = new LinkedHashMap<>();
    /** Read from the spool to be sent, or kept in memory because the disk takes no writes. */
    private final Map<String, KeptEvent> window = new LinkedHashMap<>();

    private final Set<String> held = new HashSet<>();
    private final Map<String, Newest> newest = BoundedMap.byInsertion(MAX_NEWEST);
    private final SendOrder order = new SendOrder(this::isToBeSent);

    private long pendingBytes;
    private long windowBytes;
    private String problem = "";
    private boolean full;
    private long dropped;
    private long refused;
    private long unreadable;

    /**
     * Recovers the events that an earlier run left.
     *
     * @param remembered the segments in the last checkpoint
     * @param before losses of earlier runs in this boot
     * @param guard of this process
     */
    Outbox(Spool spool, List<SpoolSegment> remembered, Losses before, Guard guard) {
        this.spool = spool;
        this.before = before;
        this.guard = guard;
        guard.run(PLACE, () -> spool.recover(remembered, this::found));
    }

    private void found(Spool.Item item) {
        EventKey.find(item.payload())
                .filter(key -> !newest.containsKey(key.id()) || newest.get(key.id()).revision <= key.revision())
                .ifPresent(key -> setNewest(key, item.position()));
    }

    private void setNewest(EventKey key, @Nullable Position record) {
        Newest known = newest.computeIfAbsent(key.id(), id -> new Newest());
        known.revision = key.revision();
        known.record = record;
    }

    // ---- in

    /**
     * Keeps an event, unless this or a higher revision of it already waits.
     *
     * @return whether the event may be sent only from now on
     */
    boolean add(OomKillEvent event) {
        return add(KeptEvent.of(event));
    }

    /** As {@link #add(OomKillEvent)}. */
    boolean add(ExitEvent event) {
        return add(KeptEvent.of(event));
    }

    private boolean add(KeptEvent event) {
        boolean wasHeld = held.contains(event.id());
        if (keep(event, wasHeld)) {
            held.remove(event.id());
            return true;
        }
        return release(event.id());
    }

    /** Keeps an event, but does not send it before it is added or released. */
    void hold(OomKillEvent event) {
        KeptEvent kept = KeptEvent.of(event);
        if (keep(kept, held.contains(kept.id()))) {
            held.add(kept.id());
        }
    }

    /** Lets a held event be sent as it is. @return whether it was held */
    boolean release(String eventId) {
        boolean wasHeld = held.remove(eventId);
        if (wasHeld && window.containsKey(eventId)) {
            order.add(window.get(eventId));
        }
        return wasHeld;
    }

    private boolean keep(KeptEvent event, boolean mayReplaceItsRevision) {
        Newest known = newest.get(event.id());
        if (known != null && known.revision >= event.key.revision() + (mayReplaceItsRevision ? 1 : 0)) {
            return false;
        }
        setNewest(event.key, null);
        KeptEvent outdated = pending.put(event.id(), event);
        pendingBytes += event.event.size() - (outdated == null ? 0 : outdated.event.size());
        return true;
    }

    // ---- to the disk

    /** Writes the events that are not on the disk yet, and reads events that can be sent. */
    void flush() {
        try {
            while (!pending.isEmpty()) {
                write(batch());
            }
            if (!problem.isEmpty()) {
                LOG.info("the spool can be written again");
                problem = "";
            }
        } catch (IOException e) {
            goOnInMemory(e);
        } catch (RuntimeException | Error e) {
            guard.caught(PLACE, e);
            goOnInMemory(e);
        }
        readAhead();
    }

    private void goOnInMemory(Throwable failure) {
        if (problem.isEmpty()) {
            LOG.error(
                    "the spool cannot be written: {}. Going on in memory; what is there is lost with this process, and"
                            + " read again from the kernel's ring",
                    failure.toString());
        }
        problem = failure.toString();
        pending.values().forEach(this::show);
    }

    private List<KeptEvent> batch() {
        List<KeptEvent> batch = new ArrayList<>();
        long bytes = 0;
        for (KeptEvent event : pending.values()) {
            bytes += Spool.sizeOf(event.event);
            if (!batch.isEmpty() && bytes > spool.batchBytes()) {
                break;
            }
            batch.add(event);
        }
        return batch;
    }

    private void write(List<KeptEvent> batch) throws IOException {
        makeRoom(batch.stream().mapToLong(event -> Spool.sizeOf(event.event)).sum());
        Iterator<Position> records =
                spool.append(batch.stream().map(event -> event.event).toList()).iterator();
        for (KeptEvent event : batch) {
            event.record = records.next();
            setNewest(event.key, event.record);
            removePending(event);
        }
    }

    private void removePending(KeptEvent event) {
        if (pending.remove(event.id(), event)) {
            pendingBytes -= event.event.size();
        }
    }

    private void makeRoom(long bytes) {
        while (spool.isFullFor(bytes)) {
            Spool.Dropped oldest = spool.dropOldest();
            if (oldest.records() > 0) {
                full = true;
                dropped += oldest.records();
                LOG.warn(
                        "the spool is full: its {} oldest events are dropped; no aggregator has them (--spool-bytes)",
                        oldest.records());
                window.values().stream()
                        .filter(event -> event.record != null && event.record.segment() == oldest.segment())
                        .toList()
                        .forEach(this::forget);
            }
        }
    }

    // ---- to be sent

    private void readAhead() {
        guard.run(PLACE, this::fillWindow);
    }

    private void fillWindow() {
        // Rejected events must not keep all others out of the window.
        while (window.size() - order.refused() < WINDOW_EVENTS
                && windowBytes < (order.refused() == 0 ? WINDOW_BYTES : 2 * WINDOW_BYTES)) {
            Spool.Item item = spool.next();
            if (item == null) {
                return;
            }
            Optional<EventKey> key = EventKey.find(item.payload());
            if (key.isPresent()) {
                take(key.get(), item);
            } else {
                LOG.error("a record at {} has the right checksum and is no event", item.position());
                spool.done(item.position());
                unreadable++;
            }
        }
    }

    private void take(EventKey key, Spool.Item item) {
        Newest known = newest.get(key.id());
        if (known != null && known.record != null && !known.record.equals(item.position())) {
            // A better revision comes later.
            spool.done(item.position());
            return;
        }
        KeptEvent present = window.get(key.id());
        if (present != null
                && (present.record == null
                        || present.record.equals(item.position())
                        || present.key.revision() > key.revision())) {
            present.read.add(item.position());
            return;
        }
        KeptEvent event = new KeptEvent(key, item.payload());
        event.record = item.position();
        event.read.add(item.position());
        show(event);
    }

    private void show(KeptEvent event) {
        KeptEvent outdated = window.put(event.id(), event);
        if (outdated == event) {
            return;
        }
        windowBytes += event.event.size();
        if (outdated != null) {
            windowBytes -= outdated.event.size();
            event.read.addAll(outdated.read);
        }
        if (!held.contains(event.id())) {
            order.add(event);
        }
    }

    private boolean isToBeSent(KeptEvent event) {
        KeptEvent better = pending.getOrDefault(event.id(), event);
        return window.get(event.id()) == event && better == event && !held.contains(event.id());
    }

    /** Returns the next event to send on this stream, or null. */
    @Nullable
    KeptEvent pollUnsent() {
        return order.poll();
    }

    /** Drops a polled event that cannot be read: it is not sent, and counts as damaged. */
    void setAside(KeptEvent event) {
        unreadable++;
        order.remove(event);
        forget(event);
        readAhead();
    }

    /** Counts an event of an older version's checkpoint that cannot be read. */
    void countUnreadable() {
        unreadable++;
    }

    /** Starts a new stream: every unacknowledged event is sent again. */
    void resendAll() {
        order.restart(window.values().stream()
                .filter(event -> !held.contains(event.id()))
                .toList());
    }

    /** Forgets events that are durable at the aggregator, unless a higher revision still waits. */
    void acknowledge(Collection<EventAck> acks) {
        for (EventAck ack : acks) {
            order.acknowledge(ack);
            KeptEvent event = window.get(ack.getEventId());
            if (event != null && event.key.revision() <= ack.getRevision()) {
                forget(event);
            }
        }
        readAhead();
        full &= size() > 0;
    }

    private void forget(KeptEvent event) {
        order.forget(event);
        window.remove(event.id());
        windowBytes -= event.event.size();
        event.read.forEach(spool::done);
        removePending(event);
        Newest known = newest.get(event.id());
        if (known != null && known.revision <= event.key.revision()) {
            newest.remove(event.id());
        }
    }

    /**
     * Handles the end of a stream that an event caused.
     *
     * @param forGood whether the aggregator will never take it
     * @return the event that is given up, if the cause is certain
     */
    Optional<KeptEvent> refused(boolean forGood) {
        Optional<KeptEvent> culprit = order.refused(forGood);
        culprit.ifPresent(event -> {
            refused++;
            if (window.get(event.id()) == event) {
                forget(event);
            }
        });
        readAhead();
        return culprit;
    }

    /** Returns whether events are sent alone, to find the one that the aggregator rejects. */
    boolean isCareful() {
        return order.isCareful();
    }

    /** Returns the number of events sent on this stream and not acknowledged. */
    int inFlight() {
        return order.inFlight();
    }

    // ---- state

    /** Returns whether each added event is on the disk, or acknowledged. */
    boolean isDurable() {
        return pending.isEmpty();
    }

    /** Returns the size of the events that are in memory alone, bytes. */
    long pendingBytes() {
        return pendingBytes;
    }

    /** Returns the number of events; one in several revisions may count several times. */
    long size() {
        return spool.remaining() + pending.size();
    }

    /** Returns the spool's segments, for the checkpoint. */
    List<SpoolSegment> toRemember() {
        return spool.toRemember();
    }

    /** Deletes the segments that are done; call it after a checkpoint has the result of {@link #toRemember}. */
    void deleteDone() {
        spool.deleteDone();
    }

    /** Adds the losses of the outbox in this boot. */
    void addLosses(Losses.Builder losses) {
        losses.setSpoolEventsDropped(before.getSpoolEventsDropped() + dropped)
                .setSpoolEventsDamaged(before.getSpoolEventsDamaged() + spool.damaged() + unreadable)
                .setEventsRefused(before.getEventsRefused() + refused);
    }

    /** Returns the status of the spool. */
    SourceStatus status() {
        SourceStatus.Builder status = SourceStatus.newBuilder().setName("spool").setState(State.ACTIVE);
        if (!problem.isEmpty()) {
            return status.setState(State.UNAVAILABLE)
                    .setDetail("cannot write: " + problem + "; " + pending.size()
                            + " events are in memory only, and when that is" + " full, in the kernel's ring")
                    .build();
        }
        if (full) {
            status.setState(State.DEGRADED)
                    .setDetail("full: the oldest events were dropped; raise --spool-bytes, or let the"
                            + " agent reach its aggregator");
        }
        return status.build();
    }
}
