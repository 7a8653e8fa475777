package dev.exit137.aggregator.limits;

/** A rate and what may gather while less is taken. Safe for all threads; the clock is the caller's, in nanoseconds. */
final class TokenBucket {
  private static final double NANOS_PER_SECOND = 1e9;

  private final double perSecond;
  private final double capacity;
  private double tokens;
  private long filledAtNanos;

  /** A full one; with a rate of 0 it never refuses. */
  TokenBucket(int perSecond, int burstSeconds, long nowNanos) {
    this.perSecond = perSecond;
    this.capacity = (double) perSecond * burstSeconds;
    this.tokens = capacity;
    this.filledAtNanos = nowNanos;
  }

  /** Takes tokens, or takes none and says false. What costs more than there can ever be takes all. */
  synchronized boolean take(int count, long nowNanos) {
    fill(nowNanos);
    double cost = Math.min(count, capacity);
    if (tokens < cost) {
      return false;
    }
    tokens -= cost;
    return true;
  }

  /** Whether it is as good as new. */
  synchronized boolean isFull(long nowNanos) {
    fill(nowNanos);
    return tokens == capacity;
  }

  private void fill(long nowNanos) {
    tokens = Math.min(capacity, tokens + perSecond * (nowNanos - filledAtNanos) / NANOS_PER_SECOND);
    filledAtNanos = nowNanos;
  }
}
