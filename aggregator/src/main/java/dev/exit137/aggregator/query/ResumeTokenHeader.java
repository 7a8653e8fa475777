package dev.exit137.aggregator.query;

import dev.exit137.aggregator.store.EventStore;
import dev.exit137.aggregator.store.ResumeToken;
import dev.exit137.proto.v1.ExitEventsGrpc;
import dev.exit137.proto.v1.OomEventsGrpc;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import java.util.Set;

/**
 * Sends the resume token in a header, for answers without a field for it: an event, or the nodes (oom_events.proto).
 */
public final class ResumeTokenHeader implements ServerInterceptor {
    public static final Metadata.Key<String> RESUME_TOKEN =
            Metadata.Key.of("exit137-resume-token", Metadata.ASCII_STRING_MARSHALLER);

    private static final Set<String> METHODS = Set.of(
            OomEventsGrpc.getGetEventMethod().getFullMethodName(),
            ExitEventsGrpc.getGetExitMethod().getFullMethodName(),
            OomEventsGrpc.getListNodesMethod().getFullMethodName());

    private final EventStore store;

    public ResumeTokenHeader(EventStore store) {
        this.store = store;
    }

    @Override
    public <Q, P> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, P> call, Metadata headers, ServerCallHandler<Q, P> next) {
        if (!METHODS.contains(call.getMethodDescriptor().getFullMethodName())) {
            return next.startCall(call, headers);
        }
        // Taken before the read: an event stored meanwhile may come twice, but is never missed.
        String token = ResumeToken.after(store.id(), store.lastRowId()).encode();
        return next.startCall(
                new SimpleForwardingServerCall<>(call) {
                    @Override
                    public void sendHeaders(Metadata answer) {
                        answer.put(RESUME_TOKEN, token);
                        super.sendHeaders(answer);
                    }
                },
                headers);
    }
}
