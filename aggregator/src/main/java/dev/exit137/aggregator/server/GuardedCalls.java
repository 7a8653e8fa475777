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
 * Ends a call with INTERNAL if its handler throws an unexpected exception, and counts the exception. gRPC itself would
 * answer UNKNOWN and only log it.
 */
public final class GuardedCalls implements ServerInterceptor {
    /** The status that a caller receives after an unexpected exception. */
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
     * @param handler starts the handler of the call
     * @return a listener that calls the handler and never throws
     */
    public static <Q> ServerCall.Listener<Q> begin(
            ServerCall<Q, ?> call, Guard guard, Supplier<ServerCall.Listener<Q>> handler) {
        boolean ofAgent =
                EventIngestGrpc.SERVICE_NAME.equals(call.getMethodDescriptor().getServiceName());
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
                // After a cancellation gRPC throws this exception in the handler. That is no fault.
                if (!(call.isCancelled() && e instanceof StatusRuntimeException)) {
                    guard.caught(place, e);
                    close();
                    // gRPC reports to a handler only that its call is complete, not that the call was closed here.
                    onCancel();
                }
            }
        }

        private void close() {
            try {
                call.close(FAILURE, new Metadata());
            } catch (IllegalStateException answeredBefore) {
                // The call has its answer already.
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

        // A failed handler must release its resources too.
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
