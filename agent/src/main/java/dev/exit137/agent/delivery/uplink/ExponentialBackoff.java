package dev.exit137.agent.delivery.uplink;

import java.time.Duration;
import java.util.random.RandomGenerator;

/**
 * How long to wait before the next attempt: any time up to a bound, which doubles with each failure in a row. So a
 * thousand agents do not come back at once ("full jitter"). One thread.
 */
public final class ExponentialBackoff {
  private final long firstNanos;
  private final long lastNanos;
  private final RandomGenerator random;
  private long boundNanos;

  /**
   * @param first the bound before the second attempt; more than 0
   * @param last the bound that is not exceeded; not less than {@code first}
   */
  public ExponentialBackoff(Duration first, Duration last, RandomGenerator random) {
    firstNanos = first.toNanos();
    lastNanos = last.toNanos();
    this.random = random;
    boundNanos = firstNanos;
  }

  /** An attempt has failed: how long to wait before the next one. */
  public long nextNanos() {
    long bound = boundNanos;
    boundNanos = Math.min(lastNanos, 2 * bound);
    return random.nextLong(1, bound + 1);
  }

  /** It works again: the next failure is the first one. */
  public void reset() {
    boundNanos = firstNanos;
  }
}
