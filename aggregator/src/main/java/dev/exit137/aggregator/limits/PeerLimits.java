package dev.exit137.aggregator.limits;

/**
 * What one peer may ask of the aggregator. Without certificates it is a remote address, behind which there may be many:
 * so the defaults leave room for a few hundred agents or consumers.
 *
 * @param maxStreams streams of agents that it may have open, and as many watches; 0 for any number, also of questions
 * @param requestsPerSecond calls that it may make, each watch and each stream of an agent being one; 0 for any number
 * @param eventsPerSecond messages that its agents may send, one of many KiB counting as several; 0 for any number
 */
public record PeerLimits(int maxStreams, int requestsPerSecond, int eventsPerSecond) {
  /** What holds where nothing else is said. */
  public static final PeerLimits DEFAULT = new PeerLimits(256, 100, 1000);

  /** Nothing is refused. */
  public static final PeerLimits NONE = new PeerLimits(0, 0, 0);

  /** Calls that were not made in these seconds may be made at once. */
  static final int REQUESTS_BURST_SECONDS = 10;

  /** The same for events: an agent that comes back with a full spool has thousands to send. */
  static final int EVENTS_BURST_SECONDS = 60;

  /**
   * Checks the settings.
   *
   * @throws IllegalArgumentException naming the setting, its value and what it must be
   */
  public PeerLimits {
    requireNotNegative("streams", maxStreams);
    requireNotNegative("requests per second", requestsPerSecond);
    requireNotNegative("events per second", eventsPerSecond);
  }

  private static void requireNotNegative(String what, int limit) {
    if (limit < 0) {
      throw new IllegalArgumentException(
          "a peer's limit of " + what + " is " + limit + "; it must be 1 or more, or 0 for none");
    }
  }
}
