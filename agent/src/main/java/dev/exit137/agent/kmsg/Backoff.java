package dev.exit137.agent.kmsg;

import java.time.Duration;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;

/**
 * How long to wait before the next try: twice as long after each failure, up to a bound, of which the half is by chance. A
 * success that lasts makes the next failure the first again; one that does not was none. Belongs to one thread.
 */
public final class Backoff {
  private static final int MAX_DOUBLINGS = 20;

  private final Duration first;
  private final Duration last;
  private final LongSupplier nanoClock;
  private final RandomGenerator random;
  private int failures;
  private boolean succeeded;
  private long succeededNanos;

  /**
   * @param first bound of the wait after the first failure
   * @param last bound of every wait; a success lasts when it holds for longer
   * @param nanoClock CLOCK_MONOTONIC
   */
  public Backoff(Duration first, Duration last, LongSupplier nanoClock, RandomGenerator random) {
    this.first = first;
    this.last = last;
    this.nanoClock = nanoClock;
    this.random = random;
  }

  /** The try has failed, or what it began has. @return nanoseconds until the next one */
  public long failed() {
    if (succeeded && nanoClock.getAsLong() - succeededNanos > last.toNanos()) {
      failures = 0;
    }
    succeeded = false;
    long bound = Math.min(last.toNanos(), first.toNanos() << Math.min(failures++, MAX_DOUBLINGS));
    return bound - random.nextLong(bound / 2 + 1);
  }

  /** The try has succeeded. */
  public void succeeded() {
    succeeded = true;
    succeededNanos = nanoClock.getAsLong();
  }
}
