package dev.exit137.aggregator.limits;

/** The limited resources of a peer. */
public enum PeerRule {
    /** Open streams of agents. */
    AGENT_STREAMS("has %d streams of agents open; a peer may have no more (--peer-max-streams of the aggregator)"),
    /** Open watches. */
    WATCHES("has %d watches open; a peer may have no more (--peer-max-streams of the aggregator)"),
    /** Running summaries: they share one thread, and each may read the whole store. */
    SUMMARIES("has %d summaries under way; a peer may have no more; wait for them"),
    /** Other running queries. */
    QUERIES("has %d questions under way; a peer may have no more; wait for them"),
    /** Calls per second. */
    REQUESTS("asks more than %d times a second (--peer-max-requests-per-second of the aggregator); ask again later"),
    /** Messages of agents per second. */
    EVENTS(
            "sends more than %d events a second (--peer-max-events-per-second of the aggregator); send them again later");

    private static final int MAX_SUMMARIES = 4;
    private static final int MAX_QUERIES = 32;

    private final String words;

    PeerRule(String words) {
        this.words = words;
    }

    /** Returns the limit; 0 for no limit. */
    int limit(PeerLimits limits) {
        return switch (this) {
            case AGENT_STREAMS, WATCHES -> limits.maxStreams();
            case SUMMARIES -> limits.maxStreams() == 0 ? 0 : MAX_SUMMARIES;
            case QUERIES -> limits.maxStreams() == 0 ? 0 : MAX_QUERIES;
            case REQUESTS -> limits.requestsPerSecond();
            case EVENTS -> limits.eventsPerSecond();
        };
    }

    /** Describes a peer that has reached the limit, for messages. */
    String words(PeerLimits limits) {
        return words.formatted(limit(limits));
    }
}
