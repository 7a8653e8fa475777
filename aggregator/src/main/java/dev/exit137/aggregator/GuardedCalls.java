package dev.exit137.aggregator;

import dev.exit137.proto.guard.Guard;
import dev.exit137.proto.v1.EventIngestGrpc;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;

/**
 * Ends a call with INTERNAL whose handling throws what nobody expected, and counts it. gRPC itself would answer UNKNOWN,
 * and write a stack trace into the log for each.
 */
final class GuardedCalls implements ServerInterceptor {
  private static final Status DEFECT =
      Status.INTERNAL.withDescription("a defect of exit137: the aggregator's log says more; others are served");

  private final Guard guard;

  GuardedCalls(Guard guard) {
    this.guard = guard;
  }

  @Override
  public <Q, P> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, P> call, Metadata headers, ServerCallHandler<Q, P> next) {
    String place =
        EventIngestGrpc.SERVICE_NAME.equals(call.getMethodDescriptor().getServiceName()) ? "ingest" : "query";
    ServerCall.Listener<Q> listener = guard.get(place, () -> next.startCall(call, headers), null);
    if (listener == null) {
      end(call);
      return new ServerCall.Listener<>() {};
    }
    return new SimpleForwardingServerCallListener<>(listener) {
      @Override
      public void onMessage(Q message) {
        guarded(() -> super.onMessage(message));
      }

      @Override
      public void onHalfClose() {
        guarded(super::onHalfClose);
      }

      @Override
      public void onReady() {
        guarded(super::onReady);
      }

      @Override
      public void onCancel() {
        guard.run(place, super::onCancel);
      }

      @Override
      public void onComplete() {
        guard.run(place, super::onComplete);
      }

      private void guarded(Runnable handling) {
        if (!guard.run(place, handling)) {
          end(call);
          // Nobody else tells the handler that its call is over.
          guard.run(place, super::onCancel);
        }
      }
    };
  }

  private static void end(ServerCall<?, ?> call) {
    try {
      call.close(DEFECT, new Metadata());
    } catch (IllegalStateException ended) {
      // It was answered before it failed.
    }
  }
}
