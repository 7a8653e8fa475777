package dev.exit137.aggregator.limits;

/**
 * The limits of one peer. Without certificates a peer is a remote address, which many clients may share: so the
 * defaults leave room for a few hundred agents or consumers.
 *
 * @param maxStreams open streams of agents, and as many watches; 0 for no limit, also on queries and summaries
 * @param requestsPerSecond calls per second, each watch and each stream of an agent counted as one; 0 for no limit
 * @param eventsPerSecond messages per second from its agents, a message of many KiB counted as several; 0 for no limit
 */
public record PeerLimits(int maxStreams, int requestsPerSecond, int eventsPerSecond) {
    /** The defaults. */
    public static final PeerLimits DEFAULT = new PeerLimits(256, 100, 1000);

    /** No limits. */
    public static final PeerLimits NONE = new PeerLimits(0, 0, 0);

    /** Burst of calls: an idle peer saves up the calls of these seconds. */
    static final int REQUESTS_BURST_SECONDS = 10;

    /** Burst of events, likewise: an agent that reconnects with a full spool has thousands of events to send. */
    static final int EVENTS_BURST_SECONDS = 60;

    /**
     * Checks the settings.
     *
     * @throws IllegalArgumentException names the setting, its value and the rule
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
