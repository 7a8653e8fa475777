package dev.exit137.agent.correlate;

import java.time.Instant;
import java.time.InstantSource;
import java.util.function.LongSupplier;

/**
 * Converts printk's time (microseconds since boot, local_clock) into wall time. NTP disciplines CLOCK_MONOTONIC and not
 * printk's clock, so the two drift apart. The drift is learnt from live records: the record that was read fastest is
 * the best measure.
 *
 * <p>Owned by the agent-epoll thread.
 */
public final class KernelClock {
    /** The clocks drift apart by at most 500 ppm (MAXFREQ in the kernel's timex.h). */
    private static final long DRIFT_DIVISOR = 2_000;

    private final LongSupplier monotonicNanos;
    private final InstantSource wall;
    private long driftNanos;
    private long learntAtNanos;
    private boolean learnt;

    /** @param monotonicNanos CLOCK_MONOTONIC: System.nanoTime() on Linux */
    public KernelClock(LongSupplier monotonicNanos, InstantSource wall) {
        this.monotonicNanos = monotonicNanos;
        this.wall = wall;
    }

    long nowNanos() {
        return monotonicNanos.getAsLong();
    }

    Instant now() {
        return wall.instant();
    }

    /** Learns from a record that was read right after it was printed. */
    void onLiveRecord(long timestampMicros, long nowNanos) {
        long ageNanos = nowNanos - timestampMicros * 1000;
        long driftedSince = (nowNanos - learntAtNanos) / DRIFT_DIVISOR;
        driftNanos = learnt ? Math.min(ageNanos, driftNanos + driftedSince) : ageNanos;
        learntAtNanos = nowNanos;
        learnt = true;
    }

    /** The age of a record; exact to the drift of the clocks as long as no live record was seen. */
    long ageNanos(long timestampMicros, long nowNanos) {
        return Math.max(0, nowNanos - timestampMicros * 1000 - driftNanos);
    }

    /** The wall time of a record, never later than {@code observed}. */
    Instant wallTime(long timestampMicros, Instant observed, long nowNanos) {
        return observed.minusNanos(ageNanos(timestampMicros, nowNanos));
    }
}
