package dev.exit137.aggregator.store;

import com.google.protobuf.Timestamp;
import com.google.protobuf.util.Timestamps;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/**
 * Times in the form of the store: nanoseconds since 1970 in a long. An event may carry any time that timestamp.proto
 * allows; a time before 1677 or after 2262 becomes the nearest time that fits.
 */
public final class EpochNanos {
    private EpochNanos() {}

    /** Converts a timestamp. */
    public static long of(Timestamp time) {
        try {
            return Timestamps.toNanos(time);
        } catch (ArithmeticException outOfRange) {
            return time.getSeconds() < 0 ? Long.MIN_VALUE : Long.MAX_VALUE;
        }
    }

    /**
     * Converts a time of this machine's clock.
     *
     * @throws ArithmeticException before 1677 and after 2262
     */
    public static long of(Instant now) {
        return ChronoUnit.NANOS.between(Instant.EPOCH, now);
    }
}
