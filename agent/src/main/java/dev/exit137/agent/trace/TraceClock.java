package dev.exit137.agent.trace;

import dev.exit137.agent.linux.ProcessFiles;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.function.LongSupplier;

/**
 * The times of records. The trace clock {@code mono} is CLOCK_MONOTONIC, as System.nanoTime() is on Linux. The start of a
 * process counts from the boot and goes on while the machine sleeps.
 *
 * <p>Owned by the agent-epoll thread.
 */
final class TraceClock {
    /** Both the start of a process and the uptime have a resolution of a hundredth of a second. */
    private static final long TIMING_NANOS = 50_000_000;

    private final LongSupplier monotonicNanos;
    private final InstantSource wall;
    private final ProcessFiles files;
    private long bootMinusMonotonicNanos;
    private boolean knowsBoot;

    TraceClock(LongSupplier monotonicNanos, InstantSource wall, ProcessFiles files) {
        this.monotonicNanos = monotonicNanos;
        this.wall = wall;
        this.files = files;
    }

    /** Learns for how long the machine has slept. */
    void adjust() {
        files.uptime().ifPresent(uptime -> {
            bootMinusMonotonicNanos = uptime.toNanos() - monotonicNanos.getAsLong();
            knowsBoot = true;
        });
    }

    long nowNanos() {
        return monotonicNanos.getAsLong();
    }

    Instant now() {
        return wall.instant();
    }

    /** The wall time of a record, never later than now. */
    Instant wallTime(long timestampNanos) {
        return wall.instant().minusNanos(Math.max(0, nowNanos() - timestampNanos));
    }

    /** Whether a process that started so long after the boot was there at the time of the record. */
    boolean wasThere(Duration startedAfterBoot, long timestampNanos) {
        return knowsBoot && startedAfterBoot.toNanos() - bootMinusMonotonicNanos <= timestampNanos + TIMING_NANOS;
    }
}
