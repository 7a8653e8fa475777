package dev.exit137.agent;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import java.util.function.Supplier;

/** Waits for what another thread brings about; fails when it does not come. */
public final class Await {
    /** Long enough for a machine that is busy with other things; nothing waits that long unless it fails. */
    public static final Duration PATIENCE = Duration.ofSeconds(60);

    private static final long PROBE_NANOS = 2_000_000;

    private Await() {}

    /** When to give up what is waited for from now on; in System.nanoTime(). */
    static long deadlineNanos() {
        return System.nanoTime() + PATIENCE.toNanos();
    }

    /** @return the first value of {@code probe} that {@code condition} holds for */
    public static <T> T until(String what, Supplier<T> probe, Predicate<T> condition) {
        long deadlineNanos = deadlineNanos();
        while (true) {
            T value = probe.get();
            if (condition.test(value)) {
                return value;
            }
            if (System.nanoTime() - deadlineNanos > 0) {
                throw new AssertionError(
                        what + " did not come within " + PATIENCE.toSeconds() + " s; last seen: " + value);
            }
            LockSupport.parkNanos(PROBE_NANOS);
        }
    }
}
