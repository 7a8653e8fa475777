package dev.exit137.daemon.retry;

import java.time.Duration;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;

/**
 * Exponential backoff with jitter: the bound of the wait doubles with each failure in a row. A success that lasts makes
 * the next failure the first again; a success that does not last counts for nothing. Belongs to one thread.
 */
public final class Backoff {
  /** Which part of the bound is left to chance, so that many that failed at once do not try again at once. */
  public enum Jitter {
    /** From 1 ns up to the bound. */
    FULL,
    /** From a half of the bound up to the bound. */
    EQUAL
  }

  /**
   * How long to wait.
   *
   * @param first bound of the wait after the first failure; more than 0
   * @param last bound of every wait; not less than {@code first}
   * @param steady a success lasts if the next failure comes later than this after its attempt began
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

  /** The attempt has failed, or what it began has. @return nanoseconds until the next attempt */
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

  /** The attempt has succeeded; may be called again while the success lasts. */
  public void succeeded() {
    succeeded = true;
  }
}
