package dev.exit137.aggregator.query;

import com.google.protobuf.Message;
import dev.exit137.aggregator.access.Caller;
import dev.exit137.aggregator.server.Refusals;
import dev.exit137.aggregator.store.EventQuery;
import dev.exit137.aggregator.store.EventStore;
import dev.exit137.aggregator.store.ResumeToken;
import dev.exit137.daemon.guard.Guard;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.time.InstantSource;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;

/** All open watches, of all kinds of events: each commit of the store signals them. Safe for all threads. */
public final class Watches implements AutoCloseable {
    private final EventWatch.Shared shared;
    private final Guard guard;
    private final Set<EventWatch<?, ?>> open = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    /**
     * Reads from the store.
     *
     * @param executor does the work of the watches
     * @param timer schedules the heartbeats; its thread must not be held up
     * @param clock the wall clock
     * @param refusals counts the watches that are ended
     */
    public Watches(
            EventStore store,
            Executor executor,
            ScheduledExecutorService timer,
            InstantSource clock,
            Refusals refusals,
            Guard guard) {
        this.guard = guard;
        shared = new EventWatch.Shared(store, executor, timer, clock, refusals, guard);
        store.onCommit(() -> open.forEach(watch -> guard.run("watch", watch::signal)));
    }

    /** Begins a watch of the call that this thread serves. Must be called while gRPC sets the call up. */
    <E extends Message, P> void begin(
            EventQuery<E> query,
            ResumeToken start,
            long heartbeatNanos,
            WatchForm<E, P> form,
            StreamObserver<P> responses) {
        EventWatch<E, P> watch = new EventWatch<>(
                shared,
                query,
                start,
                heartbeatNanos,
                form,
                (ServerCallStreamObserver<P>) responses,
                Caller.current(),
                open::remove);
        open.add(watch);
        try {
            watch.open();
        } catch (Throwable e) {
            open.remove(watch);
            throw e;
        }
        if (closed) {
            close();
        }
    }

    /** Returns the number of open watches. */
    public int size() {
        return open.size();
    }

    /** Ends the watches of callers with an expired certificate or token. Must be called periodically. */
    public void endUnproven() {
        open.forEach(EventWatch::endIfUnproven);
    }

    /** Ends every watch with UNAVAILABLE. */
    @Override
    public void close() {
        closed = true;
        Status status = Status.UNAVAILABLE.withDescription(
                "the aggregator is stopping; connect again with the last resume_token");
        open.forEach(watch -> guard.run("watch", () -> watch.end(status)));
    }
}
