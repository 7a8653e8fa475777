package dev.exit137.daemon.retry;

import java.time.Duration;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;

/**
 * Exponential backoff with jitter: the bound of the wait doubles with each failure in a row. After a lasting success
 * the bound is the first one again; a short success does not reset it. Confined to one thread.
 */
public final class Backoff {
    /** The random part of the bound, so that many clients that failed at once do not retry at once. */
    public enum Jitter {
        /** From 1 ns up to the bound. */
        FULL,
        /** From a half of the bound up to the bound. */
        EQUAL
    }

    /**
     * The waits.
     *
     * @param first bound of the wait after the first failure; more than 0
     * @param last bound of every wait; not less than {@code first}
     * @param steady a success is lasting if the next failure comes later than this after the start of the attempt
     */
    public record Policy(Duration first, Duration last, Duration steady, Jitter jitter) {}

    private final Policy policy;
    private final LongSupplier nanoClock;
    private final RandomGenerator random;
    private long boundNanos;
    private long attemptNanos;
    private boolean succeeded;

    /** @param nanoClock CLOCK_MONOTONIC */
    public Backoff(Policy policy, LongSupplier nanoClock, RandomGenerator random) {
        this.policy = policy;
        this.nanoClock = nanoClock;
        this.random = random;
        boundNanos = policy.first().toNanos();
    }

    /**
     * Records that the attempt failed, or that its connection was lost.
     *
     * @return nanoseconds until the next attempt
     */
    public long failed() {
        long now = nanoClock.getAsLong();
        if (succeeded && now - attemptNanos > policy.steady().toNanos()) {
            boundNanos = policy.first().toNanos();
        }
        succeeded = false;
        long shortest = policy.jitter() == Jitter.FULL ? 1 : boundNanos - boundNanos / 2;
        long wait = random.nextLong(shortest, boundNanos + 1);
        boundNanos = Math.min(policy.last().toNanos(), 2 * boundNanos);
        attemptNanos = now + wait;
        return wait;
    }

    /** Records that the attempt succeeded; may be called again while the success lasts. */
    public void succeeded() {
        succeeded = true;
    }
}
