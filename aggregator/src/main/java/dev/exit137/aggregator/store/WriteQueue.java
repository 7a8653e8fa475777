package dev.exit137.aggregator.store;

import dev.exit137.daemon.guard.Guard;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The bounded queue between the agents' streams and the disk. One thread, exit137-store, empties it and commits all
 * queued writes in one transaction. So the events of a storm share the fsync of a commit.
 */
final class WriteQueue implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(WriteQueue.class);

    private static final int MAX_BATCH = 512;
    private static final int MAX_QUEUED_BYTES = 6 << 20;

    // Overhead of a queued write beyond its message; it also bounds the number of queued writes.
    private static final int OVERHEAD_BYTES = 512;

    private final StoreWriter writer;
    private final WriteState state;
    private final Guard guard;
    private final Queue<StoreWrite> queue = new ConcurrentLinkedQueue<>();
    private final Semaphore freeBytes = new Semaphore(MAX_QUEUED_BYTES);
    final ScheduledExecutorService thread = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("exit137-store").daemon().factory());
    private final UpkeepSchedule upkeep;
    private volatile long lastRowId;
    private volatile Runnable commitListener = () -> {};

    WriteQueue(
            StoreWriter writer,
            StoreUpkeep upkeep,
            WriteState state,
            DiskReserve reserve,
            long lastRowId,
            Guard guard) {
        this.writer = writer;
        this.state = state;
        this.guard = guard;
        this.upkeep = new UpkeepSchedule(thread, upkeep, state, reserve, this::lastRowId, guard);
        this.lastRowId = lastRowId;
    }

    void onCommit(Runnable listener) {
        commitListener = listener;
    }

    /** The highest row id ever assigned and committed. */
    long lastRowId() {
        return lastRowId;
    }

    /** Blocks while the queue is full. */
    void submit(StoreWrite write) throws InterruptedException {
        freeBytes.acquire(cost(write));
        queue.add(write);
        try {
            thread.execute(this::writeBatch);
        } catch (RejectedExecutionException closed) {
            // The write is no longer in the queue if the last batch included it.
            if (queue.remove(write)) {
                freeBytes.release(cost(write));
                fail(List.of(write), new SQLException("the store is closed"));
            }
        }
    }

    /** Starts the upkeep of the store, between the writes. */
    void keepUpEvery(Duration interval) {
        upkeep.start(interval);
    }

    /** Writes the queued writes, then closes the file. */
    @Override
    public void close() throws SQLException {
        thread.shutdown();
        try {
            if (!thread.awaitTermination(10, TimeUnit.SECONDS)) {
                LOG.warn("the disk is slow: closing the store with writes unfinished; their agents send them again");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        writer.close();
    }

    // Runs once for every submitted write. Usually the run before has included that write already.
    private void writeBatch() {
        List<StoreWrite> batch = new ArrayList<>();
        int cost = 0;
        for (StoreWrite write; batch.size() < MAX_BATCH && (write = queue.poll()) != null; ) {
            batch.add(write);
            cost += cost(write);
        }
        if (batch.isEmpty()) {
            return;
        }
        try {
            write(batch);
            upkeep.afterWriting(cost);
        } finally {
            freeBytes.release(cost);
        }
    }

    private void write(List<StoreWrite> batch) {
        Optional<String> failure = state.failure();
        if (failure.isPresent()) {
            fail(batch, new SQLException(failure.get()));
            return;
        }
        try {
            lastRowId = writer.write(batch);
        } catch (Throwable e) {
            if (state.note(e)) {
                fail(batch, (SQLException) e);
            } else if (batch.size() > 1) {
                // One write may be the cause. Each is retried alone, so that a bad message of one agent does not block
                // the
                // others.
                batch.forEach(each -> write(List.of(each)));
            } else {
                guard.caught("store", e);
                fail(
                        batch,
                        e instanceof SQLException sql ? sql : new SQLException("a defect of exit137, see its log", e));
            }
            return;
        }
        tell(batch, StoreWrite.Listener::committed);
        guard.run("store", commitListener);
    }

    private void fail(List<StoreWrite> batch, SQLException cause) {
        tell(batch, (listener, writes) -> listener.failed(writes, cause));
    }

    private void tell(List<StoreWrite> batch, BiConsumer<StoreWrite.Listener, List<StoreWrite>> outcome) {
        Map<StoreWrite.Listener, List<StoreWrite>> byListener = new LinkedHashMap<>();
        for (StoreWrite write : batch) {
            byListener
                    .computeIfAbsent(write.listener(), listener -> new ArrayList<>())
                    .add(write);
        }
        byListener.forEach((listener, writes) -> guard.run("store", () -> outcome.accept(listener, writes)));
    }

    private static int cost(StoreWrite write) {
        return write.bytes() + OVERHEAD_BYTES;
    }
}
