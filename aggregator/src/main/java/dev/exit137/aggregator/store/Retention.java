package dev.exit137.aggregator.store;

import java.time.Duration;
import java.util.Objects;

/**
 * How much the store keeps. Retention removes the excess, the oldest stored events first.
 *
 * @param maxAge how long an event is kept after it was stored, 1 s at least; {@link #ANY_AGE} for ever
 * @param maxBytes maximum size of the store's file, 8 MiB at least; {@link #ANY_SIZE} for no bound. The write-ahead log
 *     of some MiB comes on top
 * @param nodeAge how long a node is listed after its last message, 1 min at least; {@link #ANY_AGE} for ever. A
 *     connected agent sends a message every 10 s
 * @param senderAge how long the personal fields of a sender ({@code ExitEvent.sender}: uid, loginuid, tty, cmdline,
 *     parents) are kept after their event was stored, 1 s at least; zero to never keep them; {@link #ANY_AGE} for as
 *     long as the event
 */
public record Retention(Duration maxAge, long maxBytes, Duration nodeAge, Duration senderAge) {
    /** Events are not removed for their age. */
    public static final Duration ANY_AGE = Duration.ofSeconds(Long.MAX_VALUE);

    /** Events are not removed for the size of the file. */
    public static final long ANY_SIZE = Long.MAX_VALUE;

    private static final Duration MIN_AGE = Duration.ofSeconds(1);
    private static final long MIN_BYTES = 8 << 20;
    private static final Duration MIN_NODE_AGE = Duration.ofMinutes(1);

    private static final int CHECKS_PER_AGE = 10;
    private static final Duration MIN_CHECK_INTERVAL = Duration.ofSeconds(1);
    private static final Duration MAX_CHECK_INTERVAL = Duration.ofMinutes(1);

    // An agent that lost its state reads the kernel's ring again, which on a quiet node holds the records of months.
    private static final int ID_AGES = 4;
    private static final Duration MIN_ID_AGE = Duration.ofDays(30);

    // Every event takes at least this much of the file, so the ids of all stored events fit. The ids of removed events
    // take at most a sixth of the file.
    private static final int BYTES_PER_ID = 512;

    /** A month and a gibibyte for events; a week for nodes; a month for senders. */
    public static final Retention DEFAULT = new Retention(Duration.ofDays(30), 1L << 30);

    /** Applies the defaults for nodes and senders. */
    public Retention(Duration maxAge, long maxBytes) {
        this(maxAge, maxBytes, Duration.ofDays(7));
    }

    /** Applies the default for senders. */
    public Retention(Duration maxAge, long maxBytes, Duration nodeAge) {
        this(maxAge, maxBytes, nodeAge, Duration.ofDays(30));
    }

    /**
     * Checks the bounds.
     *
     * @throws IllegalArgumentException names the setting, its value and the rule
     */
    public Retention {
        Objects.requireNonNull(maxAge, "maxAge");
        if (maxAge.compareTo(MIN_AGE) < 0) {
            throw new IllegalArgumentException(
                    "--retention must be 1s or more, or off, and is " + maxAge.toMillis() + "ms");
        }
        if (maxBytes < MIN_BYTES) {
            throw new IllegalArgumentException("--max-store-bytes must be 8MiB or more, or off, and is " + maxBytes);
        }
        if (nodeAge.compareTo(MIN_NODE_AGE) < 0) {
            throw new IllegalArgumentException(
                    "--node-retention must be 1m or more, or off, and is " + nodeAge.toMillis() + "ms");
        }
        if (!senderAge.isZero() && senderAge.compareTo(MIN_AGE) < 0) {
            throw new IllegalArgumentException("--sender-retention must be 1s or more, 0 for never, or off, and is "
                    + senderAge.toMillis() + "ms");
        }
    }

    /** Whether a sender's personal fields are stored at all. */
    boolean keepsSenders() {
        return !senderAge.isZero();
    }

    /** The interval between two checks for what has expired. */
    Duration checkInterval() {
        Duration shortest = keepsSenders() && senderAge.compareTo(maxAge) < 0 ? senderAge : maxAge;
        Duration interval = shortest.dividedBy(CHECKS_PER_AGE);
        return interval.compareTo(MIN_CHECK_INTERVAL) < 0
                ? MIN_CHECK_INTERVAL
                : interval.compareTo(MAX_CHECK_INTERVAL) > 0 ? MAX_CHECK_INTERVAL : interval;
    }

    /** How long an id is kept after it was stored, unless there are too many ids. */
    Duration idAge() {
        if (maxAge.compareTo(ANY_AGE.dividedBy(ID_AGES)) > 0) {
            return ANY_AGE;
        }
        Duration age = maxAge.multipliedBy(ID_AGES);
        return age.compareTo(MIN_ID_AGE) > 0 ? age : MIN_ID_AGE;
    }

    /** The maximum number of newest row ids that are kept. */
    long maxIds() {
        return maxBytes / BYTES_PER_ID;
    }
}
