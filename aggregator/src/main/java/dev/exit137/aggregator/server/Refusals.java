package dev.exit137.aggregator.server;

import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What was refused, counted by its reason. The log gets one line per reason and ten seconds at most, with the count of
 * those between, so that whoever is refused cannot fill it. Safe for all threads.
 */
public final class Refusals {
  private static final Logger LOG = LoggerFactory.getLogger(Refusals.class);
  private static final long QUIET_NANOS = TimeUnit.SECONDS.toNanos(10);

  /** Why. */
  public enum Reason {
    /** The certificate of a client is expired or of no known authority; it has no connection. */
    CERTIFICATE,
    /** A call without a certificate or a token, or with one that is not taken or has ended since. */
    UNAUTHENTICATED,
    /** A call of somebody who may not make it. */
    PERMISSION_DENIED,
    /** A message of another node than that of the agent that sent it. */
    WRONG_NODE,
    /** More than one peer may ask (PeerLimits). */
    PEER_LIMIT,
    /** A message that breaks a rule, or is no message at all. */
    INVALID_MESSAGE
  }

  private static final class Count {
    private final AtomicLong count = new AtomicLong();
    private long saidNanos = System.nanoTime() - QUIET_NANOS;
    private long unsaid;
  }

  private final Map<Reason, Count> counts = new EnumMap<>(Reason.class);

  /** All are zero. */
  public Refusals() {
    for (Reason reason : Reason.values()) {
      counts.put(reason, new Count());
    }
  }

  /**
   * One more.
   *
   * @param what for a person; no secret may be in it
   */
  public void add(Reason reason, String what) {
    Count count = Objects.requireNonNull(counts.get(reason));
    count.count.incrementAndGet();
    synchronized (count) {
      long now = System.nanoTime();
      if (now - count.saidNanos < QUIET_NANOS) {
        count.unsaid++;
        return;
      }
      LOG.warn("refused: {}{}", what, count.unsaid == 0 ? "" : " (and " + count.unsaid + " others before)");
      count.saidNanos = now;
      count.unsaid = 0;
    }
  }

  /** How many since the start. */
  public long count(Reason reason) {
    return Objects.requireNonNull(counts.get(reason)).count.get();
  }
}
