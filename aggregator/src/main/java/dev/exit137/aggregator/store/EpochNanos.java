package dev.exit137.aggregator.store;

import com.google.protobuf.Timestamp;
import com.google.protobuf.util.Timestamps;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/**
 * Times as the store has them: nanoseconds since 1970 in a long. An event may carry any time that timestamp.proto
 * allows; those before 1677 and after 2262 become the nearest that fits.
 */
public final class EpochNanos {
  private EpochNanos() {}

  /** Of a timestamp. */
  public static long of(Timestamp time) {
    try {
      return Timestamps.toNanos(time);
    } catch (ArithmeticException outOfRange) {
      return time.getSeconds() < 0 ? Long.MIN_VALUE : Long.MAX_VALUE;
    }
  }

  /**
   * Of this machine's clock.
   *
   * @throws ArithmeticException before 1677 and after 2262
   */
  public static long of(Instant now) {
    return ChronoUnit.NANOS.between(Instant.EPOCH, now);
  }
}
