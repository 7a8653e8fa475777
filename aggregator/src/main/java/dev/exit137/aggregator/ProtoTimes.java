package dev.exit137.aggregator;

import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import java.time.Instant;

/** Protobuf timestamps as the aggregator needs them. */
public final class ProtoTimes {
  private static final long NANOS_PER_SECOND = 1_000_000_000L;

  // 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z: the range that timestamp.proto allows.
  private static final long MIN_SECONDS = -62_135_596_800L;
  private static final long MAX_SECONDS = 253_402_300_799L;

  // 10,000 years: the range that duration.proto allows.
  private static final long MAX_DURATION_SECONDS = 315_576_000_000L;

  private ProtoTimes() {}

  /** Whether the timestamp keeps the rules of timestamp.proto; others have no JSON form. */
  public static boolean isValid(Timestamp time) {
    return time.getSeconds() >= MIN_SECONDS
        && time.getSeconds() <= MAX_SECONDS
        && time.getNanos() >= 0
        && time.getNanos() < NANOS_PER_SECOND;
  }

  /** Whether the duration keeps the rules of duration.proto; others have no JSON form. */
  public static boolean isValid(Duration duration) {
    long seconds = duration.getSeconds();
    int nanos = duration.getNanos();
    return Math.abs((double) seconds) <= MAX_DURATION_SECONDS
        && Math.abs((long) nanos) < NANOS_PER_SECOND
        && !(seconds > 0 && nanos < 0)
        && !(seconds < 0 && nanos > 0);
  }

  /** Nanoseconds since 1970; times before 1677 and after 2262 become the nearest that fits a long. */
  public static long epochNanos(Timestamp time) {
    try {
      return Math.addExact(Math.multiplyExact(time.getSeconds(), NANOS_PER_SECOND), time.getNanos());
    } catch (ArithmeticException outOfRange) {
      return time.getSeconds() < 0 ? Long.MIN_VALUE : Long.MAX_VALUE;
    }
  }

  /** The timestamp of an instant. */
  public static Timestamp timestamp(Instant time) {
    return Timestamp.newBuilder().setSeconds(time.getEpochSecond()).setNanos(time.getNano()).build();
  }

  /** The timestamp of nanoseconds since 1970. */
  public static Timestamp timestamp(long epochNanos) {
    return Timestamp.newBuilder()
        .setSeconds(Math.floorDiv(epochNanos, NANOS_PER_SECOND))
        .setNanos((int) Math.floorMod(epochNanos, NANOS_PER_SECOND))
        .build();
  }
}
