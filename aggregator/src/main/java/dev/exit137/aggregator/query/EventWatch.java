package dev.exit137.aggregator.query;

import com.google.protobuf.Message;
import com.google.protobuf.util.Timestamps;
import dev.exit137.aggregator.access.Caller;
import dev.exit137.aggregator.server.GuardedCalls;
import dev.exit137.aggregator.server.Refusals;
import dev.exit137.aggregator.store.EpochNanos;
import dev.exit137.aggregator.store.EventQuery;
import dev.exit137.aggregator.store.EventStore;
import dev.exit137.aggregator.store.ResumeToken;
import dev.exit137.aggregator.store.RowsRemovedException;
import dev.exit137.aggregator.store.StoredEvent;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.Heartbeat;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ServerCallStreamObserver;
import java.sql.SQLException;
import java.time.InstantSource;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One consumer's watch: a cursor over the store's rows. History and live events are read in the same way, so no event
 * is lost between them; and a slow consumer needs no memory except its cursor. Its rows are in the order of all kinds of
 * events; it sends those of one kind.
 *
 * <p>Any thread may {@link #signal()} that there may be work: a commit, gRPC's readiness, the timer. One thread of the
 * executor at a time does the work.
 */
final class EventWatch<E extends Message, P> {
    private static final Logger LOG = LoggerFactory.getLogger(EventWatch.class);
    private static final String PLACE = "watch";

    // Bounds of one turn, so that many watches share few threads, and the cursor advances where few rows match.
    private static final int MAX_EVENTS_PER_TURN = 256;
    private static final int MAX_ROWS_PER_TURN = 10_000;

    /**
     * The parts that all watches share.
     *
     * @param executor does their work
     * @param timer schedules the heartbeats; its thread must not be held up
     * @param clock the wall clock
     */
    record Shared(
            EventStore store,
            Executor executor,
            ScheduledExecutorService timer,
            InstantSource clock,
            Refusals refusals,
            Guard guard) {}

    private final Shared shared;
    private final EventStore store;
    private final EventQuery<E> query;
    private final WatchForm<E, P> form;
    private final ServerCallStreamObserver<P> responses;
    private final Caller caller;
    private final long heartbeatNanos;
    private final Consumer<EventWatch<E, P>> onEnd;

    private final AtomicInteger signals = new AtomicInteger();
    private volatile @Nullable Status ending;
    private volatile boolean heartbeatDue = true;
    private volatile long lastSentNanoTime = System.nanoTime();
    private volatile @Nullable ScheduledFuture<?> nextTick;
    private volatile boolean ended;

    // Used only by the thread of the current turn.
    private ResumeToken cursor;

    EventWatch(
            Shared shared,
            EventQuery<E> query,
            ResumeToken start,
            long heartbeatNanos,
            WatchForm<E, P> form,
            ServerCallStreamObserver<P> responses,
            Caller caller,
            Consumer<EventWatch<E, P>> onEnd) {
        this.shared = shared;
        this.store = shared.store();
        this.query = query;
        this.cursor = start;
        this.heartbeatNanos = heartbeatNanos;
        this.form = form;
        this.responses = responses;
        this.caller = caller;
        this.onEnd = onEnd;
    }

    /** Opens the watch. Must be called while gRPC sets the call up. */
    void open() {
        attempt(() -> {
            responses.setOnReadyHandler(this::signal);
            responses.setOnCancelHandler(() -> end(Status.CANCELLED));
            tickAfter(heartbeatNanos);
        });
        signal();
    }

    /** Signals that there may be work. Never blocks and never throws. */
    void signal() {
        if (signals.getAndIncrement() == 0) {
            nextTurn();
        }
    }

    private void nextTurn() {
        if (!shared.guard().run(PLACE, () -> shared.executor().execute(this::takeTurn))) {
            // No turn will answer these signals; the next signal, or the timer's, tries again.
            signals.set(0);
        }
    }

    /** Ends the watch if the caller's certificate or token has expired. Must be called periodically. */
    void endIfUnproven() {
        attempt(() -> {
            if (ending == null) {
                caller.ended(shared.clock().instant(), shared.refusals()).ifPresent(this::end);
            }
        });
    }

    /** Ends the watch, from any thread. */
    void end(Status status) {
        ending = status;
        signal();
    }

    private void takeTurn() {
        int answered = signals.get();
        boolean more = false;
        try {
            more = work();
        } catch (RowsRemovedException e) {
            finish(Requests.removed(cursor.movedTo(e.lastRemovedRowId())));
        } catch (SQLException e) {
            LOG.error("a watch ends, as the store cannot be read", e);
            String reason = "the aggregator's store could not be read: " + e.getMessage();
            finish(Status.UNAVAILABLE.withDescription(reason).asRuntimeException());
        } catch (Throwable e) {
            shared.guard().caught(PLACE, e);
            finish(GuardedCalls.FAILURE.asRuntimeException());
        }
        if (more || signals.addAndGet(-answered) != 0) {
            nextTurn();
        }
    }

    /** Does a bounded part of the work; returns true if there is more. */
    private boolean work() throws SQLException, RowsRemovedException {
        if (ending != null) {
            finish(ending.asRuntimeException());
        }
        if (ended) {
            return false;
        }
        RowsRemovedException.throwIfAfter(cursor.rowId(), store.removedUpTo());
        if (!responses.isReady()) {
            return false;
        }
        if (heartbeatDue) {
            heartbeatDue = false;
            Heartbeat heartbeat = Heartbeat.newBuilder()
                    .setTime(Timestamps.fromNanos(EpochNanos.of(shared.clock().instant())))
                    .build();
            send(form.heartbeat(heartbeat, cursor.encode()));
        }
        long lastRowId = store.lastRowId();
        EventQuery<E> wanted = query;
        long upToRowId = lastRowId;
        if (cursor.inHistory()) {
            wanted = query.narrowedTo(cursor.historySinceNanos());
            upToRowId = cursor.historyEndRowId();
        }
        upToRowId = Math.min(upToRowId, cursor.rowId() + MAX_ROWS_PER_TURN);
        if (cursor.rowId() < upToRowId) {
            cursor = cursor.movedTo(store.scan(wanted, cursor.rowId(), upToRowId, MAX_EVENTS_PER_TURN, this::deliver));
        }
        return cursor.rowId() < lastRowId && responses.isReady();
    }

    private boolean deliver(StoredEvent<E> stored) {
        cursor = cursor.movedTo(stored.rowId());
        E event = caller.mayReadSender() ? stored.event() : query.kind().withoutSender(stored.event());
        send(form.event(event, cursor.encode()));
        return responses.isReady();
    }

    private void send(P response) {
        responses.onNext(response);
        lastSentNanoTime = System.nanoTime();
    }

    private void finish(StatusRuntimeException how) {
        if (ended) {
            return;
        }
        ended = true;
        ending = how.getStatus();
        cancelTick();
        onEnd.accept(this);
        if (!responses.isCancelled()) {
            shared.guard().run(PLACE, () -> responses.onError(how));
        }
    }

    private void tick() {
        long idleNanos = System.nanoTime() - lastSentNanoTime;
        if (idleNanos >= heartbeatNanos) {
            heartbeatDue = true;
            signal();
            tickAfter(heartbeatNanos);
        } else {
            tickAfter(heartbeatNanos - idleNanos);
        }
    }

    private void tickAfter(long delayNanos) {
        nextTick = shared.timer().schedule(() -> attempt(this::tick), delayNanos, TimeUnit.NANOSECONDS);
        if (ended) {
            cancelTick();
        }
    }

    /** Runs a part of the work outside a turn. An unexpected exception ends the watch. */
    private void attempt(Runnable part) {
        if (!shared.guard().run(PLACE, part)) {
            end(GuardedCalls.FAILURE);
        }
    }

    /** There is no timer yet if the watch ends before it is open; then opening the watch cancels it. */
    private void cancelTick() {
        ScheduledFuture<?> tick = nextTick;
        if (tick != null) {
            tick.cancel(false);
        }
    }
}
