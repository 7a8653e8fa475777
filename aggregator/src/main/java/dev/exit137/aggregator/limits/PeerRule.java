package dev.exit137.aggregator.limits;

/** What of a peer is limited. */
public enum PeerRule {
  /** Streams of agents, open at the same time. */
  AGENT_STREAMS("has %d streams of agents open; a peer may have no more (--peer-max-streams of the aggregator)"),
  /** Watches, open at the same time. */
  WATCHES("has %d watches open; a peer may have no more (--peer-max-streams of the aggregator)"),
  /** Summaries under way: they share one thread, and each may read the whole store. */
  SUMMARIES("has %d summaries under way; a peer may have no more; wait for them"),
  /** Other questions under way. */
  QUERIES("has %d questions under way; a peer may have no more; wait for them"),
  /** Calls per second. */
  REQUESTS("asks more than %d times a second (--peer-max-requests-per-second of the aggregator); ask again later"),
  /** Messages of agents per second. */
  EVENTS("sends more than %d events a second (--peer-max-events-per-second of the aggregator); send them again later");

  private static final int MAX_SUMMARIES = 4;
  private static final int MAX_QUERIES = 32;

  private final String words;

  PeerRule(String words) {
    this.words = words;
  }

  /** 0 for none. */
  int limit(PeerLimits limits) {
    return switch (this) {
      case AGENT_STREAMS, WATCHES -> limits.maxStreams();
      case SUMMARIES -> limits.maxStreams() == 0 ? 0 : MAX_SUMMARIES;
      case QUERIES -> limits.maxStreams() == 0 ? 0 : MAX_QUERIES;
      case REQUESTS -> limits.requestsPerSecond();
      case EVENTS -> limits.eventsPerSecond();
    };
  }

  /** What a peer that has reached the limit does. */
  String words(PeerLimits limits) {
    return words.formatted(limit(limits));
  }
}
