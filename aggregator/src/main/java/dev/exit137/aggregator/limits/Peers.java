package dev.exit137.aggregator.limits;

import dev.exit137.aggregator.access.AccessControl;
import dev.exit137.aggregator.server.Refusals;
import dev.exit137.proto.v1.EventIngestGrpc;
import dev.exit137.proto.v1.ExitEventsGrpc;
import dev.exit137.proto.v1.OomEventsGrpc;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.health.v1.HealthGrpc;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;

/**
 * Rejects calls beyond the limits of a peer with RESOURCE_EXHAUSTED, before any work is done for them. A peer is a
 * remote address and, with a certificate, its names. So agents that share a certificate but not an address are
 * different peers, and so are agents that share an address but have their own certificates. Health checks are not
 * limited: they come from machines that need an answer. Safe for all threads.
 */
public final class Peers implements ServerInterceptor {
    // Above this number, peers with no open calls and full token buckets are removed.
    private static final int MANY = 1000;

    private static final Map<String, PeerRule> KINDS = Map.of(
            EventIngestGrpc.getPublishEventsMethod().getFullMethodName(), PeerRule.AGENT_STREAMS,
            OomEventsGrpc.getWatchEventsMethod().getFullMethodName(), PeerRule.WATCHES,
            OomEventsGrpc.getSummarizeEventsMethod().getFullMethodName(), PeerRule.SUMMARIES,
            ExitEventsGrpc.getWatchExitsMethod().getFullMethodName(), PeerRule.WATCHES,
            ExitEventsGrpc.getSummarizeExitsMethod().getFullMethodName(), PeerRule.SUMMARIES);

    private final LongSupplier nanoClock;
    final PeerLimits limits;
    final Refusals refusals;
    private final Map<String, Peer> known = new HashMap<>();

    /**
     * Applies the limits to each peer.
     *
     * @param refusals counts the rejected calls
     */
    public Peers(PeerLimits limits, Refusals refusals) {
        this(limits, refusals, System::nanoTime);
    }

    Peers(PeerLimits limits, Refusals refusals, LongSupplier nanoClock) {
        this.limits = limits;
        this.refusals = refusals;
        this.nanoClock = nanoClock;
    }

    @Override
    public <Q, P> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, P> call, Metadata headers, ServerCallHandler<Q, P> next) {
        if (HealthGrpc.SERVICE_NAME.equals(call.getMethodDescriptor().getServiceName())) {
            return next.startCall(call, headers);
        }
        PeerRule kind = kind(call);
        Peer peer;
        Optional<Status> refused;
        synchronized (known) {
            peer = named(name(call));
            refused = peer.begun(kind);
        }
        if (refused.isPresent()) {
            call.close(refused.get(), new Metadata());
            return new ServerCall.Listener<>() {};
        }
        ServerCall.Listener<Q> listener =
                Contexts.interceptCall(Context.current().withValue(Peer.CURRENT, peer), call, headers, next);
        return new SimpleForwardingServerCallListener<>(listener) {
            @Override
            public void onComplete() {
                peer.ended(kind);
                super.onComplete();
            }

            @Override
            public void onCancel() {
                peer.ended(kind);
                super.onCancel();
            }
        };
    }

    long nowNanos() {
        return nanoClock.getAsLong();
    }

    private Peer named(String name) {
        if (known.size() > MANY && !known.containsKey(name)) {
            known.values().removeIf(Peer::isRested);
        }
        return known.computeIfAbsent(name, same -> new Peer(same, this));
    }

    private static PeerRule kind(ServerCall<?, ?> call) {
        return KINDS.getOrDefault(call.getMethodDescriptor().getFullMethodName(), PeerRule.QUERIES);
    }

    // The token is not used here: checking a token is work, and the limits cover that work too. The port is left out,
    // because all connections from one address belong to the same peer.
    private static String name(ServerCall<?, ?> call) {
        SocketAddress address = call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR);
        String host = address instanceof InetSocketAddress inet
                ? inet.getAddress().getHostAddress()
                : String.valueOf(address);
        return AccessControl.certifiedName(call)
                .map(name -> name + " at " + host)
                .orElse(host);
    }
}
