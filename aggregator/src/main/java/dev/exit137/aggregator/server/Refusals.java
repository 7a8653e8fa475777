package dev.exit137.aggregator.server;

import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Counts rejections by reason. The log gets at most one line per reason in ten seconds, with the count of the
 * rejections in between, so that a rejected client cannot flood the log. Safe for all threads.
 */
public final class Refusals {
    private static final Logger LOG = LoggerFactory.getLogger(Refusals.class);
    private static final long QUIET_NANOS = TimeUnit.SECONDS.toNanos(10);

    /** The reason of a rejection. */
    public enum Reason {
        /** The certificate of a client is expired or its authority is unknown; the client gets no connection. */
        CERTIFICATE,
        /** A call lacks a certificate and a token, or its certificate or token is rejected or has expired since. */
        UNAUTHENTICATED,
        /** The caller may not make this call. */
        PERMISSION_DENIED,
        /** The message is about another node than the node of the agent that sent it. */
        WRONG_NODE,
        /** The peer exceeds a limit (PeerLimits). */
        PEER_LIMIT,
        /** A message breaks a rule or cannot be parsed. */
        INVALID_MESSAGE
    }

    private static final class Count {
        private final AtomicLong count = new AtomicLong();
        private long saidNanos = System.nanoTime() - QUIET_NANOS;
        private long unsaid;
    }

    private final Map<Reason, Count> counts = new EnumMap<>(Reason.class);

    /** Starts with all counts at zero. */
    public Refusals() {
        for (Reason reason : Reason.values()) {
            counts.put(reason, new Count());
        }
    }

    /**
     * Counts a rejection.
     *
     * @param what a description for the log; must not contain a secret
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

    /** Returns the counts since the start. */
    public long count(Reason reason) {
        return Objects.requireNonNull(counts.get(reason)).count.get();
    }
}
