package dev.exit137.aggregator.server;

import com.google.protobuf.InvalidProtocolBufferException;
import io.grpc.BindableService;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.InputStream;
import java.util.Objects;

/**
 * Answers unparsable bytes, such as invalid UTF-8 in a text, with INVALID_ARGUMENT. gRPC itself would answer UNKNOWN
 * and log a stack trace for each.
 */
public final class MalformedMessages implements ServerInterceptor {
    private final Refusals refusals;

    private MalformedMessages(Refusals refusals) {
        this.refusals = refusals;
    }

    /** Wraps the service, so that it never receives a malformed message. */
    public static ServerServiceDefinition keptFrom(BindableService service, Refusals refusals) {
        // With this, messages are bytes at this level. The listener below parses them, so its exception passes through
        // here.
        return ServerInterceptors.intercept(
                ServerInterceptors.useInputStreamMessages(service.bindService()), new MalformedMessages(refusals));
    }

    @Override
    public <Q, P> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, P> call, Metadata headers, ServerCallHandler<Q, P> next) {
        return new SimpleForwardingServerCallListener<>(next.startCall(call, headers)) {
            private boolean refused;

            @Override
            public void onMessage(Q bytes) {
                if (refused) {
                    // A client that sends a second message, though the method takes one.
                    return;
                }
                try {
                    super.onMessage(bytes);
                } catch (StatusRuntimeException e) {
                    if (!(e.getCause() instanceof InvalidProtocolBufferException malformed)) {
                        throw e;
                    }
                    refuse(Objects.requireNonNullElse(malformed.getMessage(), malformed.toString()));
                }
            }

            @SuppressWarnings("unchecked")
            private void refuse(String why) {
                if (!call.getMethodDescriptor().getType().clientSendsOneMessage()) {
                    // An agent's stream ends as it does after any message that breaks a rule: the messages before it
                    // are answered
                    // first.
                    super.onMessage((Q) InputStream.nullInputStream());
                    return;
                }
                refused = true;
                refusals.add(
                        Refusals.Reason.INVALID_MESSAGE,
                        call.getMethodDescriptor().getFullMethodName() + " from "
                                + call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR) + ": " + why);
                call.close(
                        Status.INVALID_ARGUMENT.withDescription("the request is no message: " + why), new Metadata());
            }

            @Override
            public void onHalfClose() {
                if (!refused) {
                    super.onHalfClose();
                }
            }
        };
    }
}
