package dev.exit137.aggregator.limits;

import dev.exit137.aggregator.server.Refusals;
import io.grpc.Context;
import io.grpc.Status;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;

/** A peer: its open calls and its token buckets. Safe for all threads. */
public final class Peer {
    static final Context.Key<Peer> CURRENT = Context.key("peer");

    // An ordinary event fits into one token; a larger one occupies the disk for longer, so it counts as several.
    private static final int BYTES_PER_TOKEN = 16 << 10;

    private final String name;
    private final Peers peers;
    private final TokenBucket requests;
    private final TokenBucket events;

    // Guarded by this.
    private final Map<PeerRule, Integer> open = new EnumMap<>(PeerRule.class);

    Peer(String name, Peers peers) {
        this.name = name;
        this.peers = peers;
        PeerLimits limits = peers.limits;
        requests = new TokenBucket(limits.requestsPerSecond(), PeerLimits.REQUESTS_BURST_SECONDS, peers.nowNanos());
        events = new TokenBucket(limits.eventsPerSecond(), PeerLimits.EVENTS_BURST_SECONDS, peers.nowNanos());
    }

    /** Returns the peer of the current call. */
    public static Peer current() {
        return CURRENT.get();
    }

    /** Counts a message of an agent. A returned status means that the limit is exceeded; it ends the stream. */
    public Optional<Status> sent(int bytes) {
        boolean allowed = events.take(1 + bytes / BYTES_PER_TOKEN, peers.nowNanos());
        return allowed ? Optional.empty() : Optional.of(refuse(PeerRule.EVENTS));
    }

    /** Begins a call, which {@link #ended} ends. A returned status means that the limit is exceeded. */
    synchronized Optional<Status> begun(PeerRule kind) {
        if (!requests.take(1, peers.nowNanos())) {
            return Optional.of(refuse(PeerRule.REQUESTS));
        }
        int limit = kind.limit(peers.limits);
        if (limit > 0 && open.getOrDefault(kind, 0) >= limit) {
            return Optional.of(refuse(kind));
        }
        open.merge(kind, 1, Integer::sum);
        return Optional.empty();
    }

    synchronized void ended(PeerRule kind) {
        open.computeIfPresent(kind, (same, count) -> count == 1 ? null : count - 1);
    }

    /** Whether the peer has no state to keep, so that it can be removed. */
    synchronized boolean isRested() {
        return open.isEmpty() && requests.isFull(peers.nowNanos()) && events.isFull(peers.nowNanos());
    }

    private Status refuse(PeerRule rule) {
        String broken = name + " " + rule.words(peers.limits);
        peers.refusals.add(Refusals.Reason.PEER_LIMIT, broken);
        return Status.RESOURCE_EXHAUSTED.withDescription(broken);
    }
}
