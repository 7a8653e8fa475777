package dev.exit137.aggregator.store;

import java.time.Duration;
import java.util.Objects;

/**
 * How much the store keeps. What is over goes, the oldest stored first.
 *
 * @param maxAge how long an event is kept after it was stored, 1 s at least; {@link #ANY_AGE} for ever
 * @param maxBytes how large the store's file may be, 8 MiB at least; {@link #ANY_SIZE} for no bound. Its write-ahead log
 *     comes to it: some MiB
 * @param nodeAge how long a node is listed after it was last heard of, 1 min at least; {@link #ANY_AGE} for ever. An
 *     agent that is connected is heard of every 10 s
 */
public record Retention(Duration maxAge, long maxBytes, Duration nodeAge) {
  /** Events do not go for their age. */
  public static final Duration ANY_AGE = Duration.ofSeconds(Long.MAX_VALUE);

  /** Events do not go for the size of the file. */
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

  // No event takes less of the file, so the ids of all events fit; those that remain of others are a sixth of it.
  private static final int BYTES_PER_ID = 512;

  /** A month, and a gibibyte; a week for nodes. */
  public static final Retention DEFAULT = new Retention(Duration.ofDays(30), 1L << 30, Duration.ofDays(7));

  /** With the default for nodes. */
  public Retention(Duration maxAge, long maxBytes) {
    this(maxAge, maxBytes, Duration.ofDays(7));
  }

  /**
   * Checks the bounds.
   *
   * @throws IllegalArgumentException naming the setting, its value and what it must be
   */
  public Retention {
    Objects.requireNonNull(maxAge, "maxAge");
    if (maxAge.compareTo(MIN_AGE) < 0) {
      throw new IllegalArgumentException("--retention must be 1s or more, or off, and is " + maxAge.toMillis() + "ms");
    }
    if (maxBytes < MIN_BYTES) {
      throw new IllegalArgumentException("--max-store-bytes must be 8MiB or more, or off, and is " + maxBytes);
    }
    if (nodeAge.compareTo(MIN_NODE_AGE) < 0) {
      throw new IllegalArgumentException(
          "--node-retention must be 1m or more, or off, and is " + nodeAge.toMillis() + "ms");
    }
  }

  /** How often to look for what is too old. */
  Duration checkInterval() {
    Duration interval = maxAge.dividedBy(CHECKS_PER_AGE);
    return interval.compareTo(MIN_CHECK_INTERVAL) < 0
        ? MIN_CHECK_INTERVAL
        : interval.compareTo(MAX_CHECK_INTERVAL) > 0 ? MAX_CHECK_INTERVAL : interval;
  }

  /** How long an id is known after it was stored, unless there are too many. */
  Duration idAge() {
    if (maxAge.compareTo(ANY_AGE.dividedBy(ID_AGES)) > 0) {
      return ANY_AGE;
    }
    Duration age = maxAge.multipliedBy(ID_AGES);
    return age.compareTo(MIN_ID_AGE) > 0 ? age : MIN_ID_AGE;
  }

  /** How many of the newest row ids are known at most. */
  long maxIds() {
    return maxBytes / BYTES_PER_ID;
  }
}
