package dev.exit137.aggregator.limits;

/** A token bucket: a rate and a burst. Safe for all threads; the caller supplies the time, in nanoseconds. */
final class TokenBucket {
    private static final double NANOS_PER_SECOND = 1e9;

    private final double perSecond;
    private final double capacity;
    private double tokens;
    private long filledAtNanos;

    /** Starts full. With a rate of 0 it never rejects. */
    TokenBucket(int perSecond, int burstSeconds, long nowNanos) {
        this.perSecond = perSecond;
        this.capacity = (double) perSecond * burstSeconds;
        this.tokens = capacity;
        this.filledAtNanos = nowNanos;
    }

    /** Takes the tokens and returns true, or takes none and returns false. A cost above the burst takes a full bucket. */
    synchronized boolean take(int count, long nowNanos) {
        fill(nowNanos);
        double cost = Math.min(count, capacity);
        if (tokens < cost) {
            return false;
        }
        tokens -= cost;
        return true;
    }

    /** Whether the bucket is full, like a new one. */
    synchronized boolean isFull(long nowNanos) {
        fill(nowNanos);
        return tokens == capacity;
    }

    private void fill(long nowNanos) {
        tokens = Math.min(capacity, tokens + perSecond * (nowNanos - filledAtNanos) / NANOS_PER_SECOND);
        filledAtNanos = nowNanos;
    }
}
