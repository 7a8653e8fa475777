package dev.exit137.aggregator.server;

import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.EventIngestGrpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.function.Supplier;

/**
 * Ends a call with INTERNAL whose handler throws what nobody expected, and counts it. gRPC itself would answer UNKNOWN,
 * and only log it.
 */
public final class GuardedCalls implements ServerInterceptor {
  /** What a caller learns of an exception that nobody expected. */
  public static final Status FAILURE =
      Status.INTERNAL.withDescription("the aggregator failed at this unexpectedly; its log says why");

  private final Guard guard;

  public GuardedCalls(Guard guard) {
    this.guard = guard;
  }

  @Override
  public <Q, P> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, P> call, Metadata headers, ServerCallHandler<Q, P> next) {
    return begin(call, guard, () -> next.startCall(call, headers));
  }

  /**
   * Begins a call.
   *
   * @param handler what handles it
   * @return the same, but it throws nothing
   */
  public static <Q> ServerCall.Listener<Q> begin(
      ServerCall<Q, ?> call, Guard guard, Supplier<ServerCall.Listener<Q>> handler) {
    boolean ofAgent = EventIngestGrpc.SERVICE_NAME.equals(call.getMethodDescriptor().getServiceName());
    Listener<Q> listener = new Listener<>(call, guard, ofAgent ? "ingest" : "query");
    listener.attempt(() -> listener.handler = handler.get());
    return listener;
  }

  /** Used by one thread at a time. */
  private static final class Listener<Q> extends ServerCall.Listener<Q> {
    private final ServerCall<Q, ?> call;
    private final Guard guard;
    private final String place;
    private ServerCall.Listener<Q> handler = new ServerCall.Listener<>() {};
    private boolean failed;

    Listener(ServerCall<Q, ?> call, Guard guard, String place) {
      this.call = call;
      this.guard = guard;
      this.place = place;
    }

    private void attempt(Runnable event) {
      try {
        event.run();
      } catch (Throwable e) {
        failed = true;
        // Of a call that was given up: gRPC tells its handler so, and no fault is in that.
        if (!(call.isCancelled() && e instanceof StatusRuntimeException)) {
          guard.caught(place, e);
          close();
          // gRPC only says to a handler that its call is complete, not that it was taken from it.
          onCancel();
        }
      }
    }

    private void close() {
      try {
        call.close(FAILURE, new Metadata());
      } catch (IllegalStateException answeredBefore) {
        // Then there is nothing left to say.
      }
    }

    @Override
    public void onMessage(Q message) {
      if (!failed) {
        attempt(() -> handler.onMessage(message));
      }
    }

    @Override
    public void onHalfClose() {
      if (!failed) {
        attempt(handler::onHalfClose);
      }
    }

    @Override
    public void onReady() {
      if (!failed) {
        attempt(handler::onReady);
      }
    }

    // A handler that failed has things to put away, too.
    @Override
    public void onCancel() {
      guard.run(place, handler::onCancel);
    }

    @Override
    public void onComplete() {
      guard.run(place, handler::onComplete);
    }
  }
}
