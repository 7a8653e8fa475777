package dev.exit137.aggregator.limits;

import dev.exit137.aggregator.access.AccessControl;
import dev.exit137.aggregator.server.Refusals;
import dev.exit137.proto.v1.EventIngestGrpc;
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
 * Refuses with RESOURCE_EXHAUSTED what a peer asks beyond its limits, before anything is done for it: a peer is a
 * remote address and, with a certificate, its names. Agents that share a certificate are not one, nor are those that
 * share an address and have their own.
 * Health is asked by machines that must have an answer, so it is not limited. Safe for all threads.
 */
public final class Peers implements ServerInterceptor {
  // Above so many, those are forgotten that have nothing open and have not called for a while.
  private static final int MANY = 1000;

  private static final Map<String, PeerRule> KINDS =
      Map.of(
          EventIngestGrpc.getPublishEventsMethod().getFullMethodName(), PeerRule.AGENT_STREAMS,
          OomEventsGrpc.getWatchEventsMethod().getFullMethodName(), PeerRule.WATCHES,
          OomEventsGrpc.getSummarizeEventsMethod().getFullMethodName(), PeerRule.SUMMARIES);

  private final PeerLimits limits;
  private final LongSupplier nanoClock;
  private final Refusals refusals;
  private final Map<String, Peer> known = new HashMap<>();

  /**
   * With the limits of each.
   *
   * @param refusals counts what was refused
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

  PeerLimits limits() {
    return limits;
  }

  long nowNanos() {
    return nanoClock.getAsLong();
  }

  Refusals refusals() {
    return refusals;
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

  // A token is not looked at yet: to check one is work, and so part of what is limited. The port tells connections
  // apart, which are the same peer's.
  private static String name(ServerCall<?, ?> call) {
    SocketAddress address = call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR);
    String host =
        address instanceof InetSocketAddress inet ? inet.getAddress().getHostAddress() : String.valueOf(address);
    return AccessControl.certifiedName(call).map(name -> name + " at " + host).orElse(host);
  }
}
