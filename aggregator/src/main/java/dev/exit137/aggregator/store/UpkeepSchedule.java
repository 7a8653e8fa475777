package dev.exit137.aggregator.store;

import dev.exit137.daemon.guard.Guard;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * Runs the store's upkeep between its writes, on the same thread, and resumes writing after a failure of the disk has
 * passed.
 */
final class UpkeepSchedule {
    private static final long RETRY_SECONDS = 2;

    private final ScheduledExecutorService thread;
    private final StoreUpkeep upkeep;
    private final WriteState state;
    private final DiskReserve reserve;
    private final LongSupplier lastRowId;
    private final Guard guard;

    // Used by the thread only.
    private boolean stepping;

    UpkeepSchedule(
            ScheduledExecutorService thread,
            StoreUpkeep upkeep,
            WriteState state,
            DiskReserve reserve,
            LongSupplier lastRowId,
            Guard guard) {
        this.thread = thread;
        this.upkeep = upkeep;
        this.state = state;
        this.reserve = reserve;
        this.lastRowId = lastRowId;
        this.guard = guard;
    }

    void start(Duration interval) {
        if (!reserve.make()) {
            state.noRoom();
        }
        thread.scheduleWithFixedDelay(() -> attempt(this::begin), 0, interval.toMillis(), TimeUnit.MILLISECONDS);
        thread.scheduleWithFixedDelay(() -> attempt(this::recover), RETRY_SECONDS, RETRY_SECONDS, TimeUnit.SECONDS);
    }

    /** Must be called on the thread after each batch of writes. */
    void afterWriting(long bytes) {
        if (state.failure().isEmpty()) {
            attempt(() -> upkeep.makeRoom(bytes));
        }
    }

    private void begin() throws SQLException {
        if (state.mayPass()) {
            keepUpOnTheReserve();
        } else if (state.failure().isEmpty() && !stepping) {
            upkeep.begin(lastRowId.getAsLong());
            step();
        }
    }

    // Runs one step and queues the next, so that waiting writes run in between.
    private void step() throws SQLException {
        stepping = false;
        if (state.failure().isEmpty() && upkeep.step() && !thread.isShutdown()) {
            thread.execute(() -> attempt(this::step));
            stepping = true;
        }
    }

    /** Removes expired events on a full disk, with the space of the reserve; that may free the missing space. */
    private void keepUpOnTheReserve() throws SQLException {
        reserve.release();
        try {
            upkeep.begin(lastRowId.getAsLong());
            while (!thread.isShutdown() && upkeep.step()) {}
            upkeep.emptyLog();
        } finally {
            reserve.make();
        }
    }

    private void recover() throws SQLException {
        if (state.mayPass() && reserve.hasRoomBeside()) {
            upkeep.tryWriting();
            if (reserve.make()) {
                state.recovered();
            }
        }
    }

    private interface Work {
        void run() throws SQLException;
    }

    // The executor never runs a timer's task again after an exception.
    private void attempt(Work work) {
        try {
            work.run();
        } catch (Throwable e) {
            if (!state.note(e)) {
                guard.caught("upkeep", e);
            }
        }
    }
}
