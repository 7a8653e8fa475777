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
 * Answers bytes that are no message, such as text that is no UTF-8, with INVALID_ARGUMENT. gRPC itself would answer
 * UNKNOWN, and write a stack trace into the log for each.
 */
public final class MalformedMessages implements ServerInterceptor {
  private final Refusals refusals;

  private MalformedMessages(Refusals refusals) {
    this.refusals = refusals;
  }

  /** The service, which need not fear them. */
  public static ServerServiceDefinition keptFrom(BindableService service, Refusals refusals) {
    // Then messages are bytes here, and parsed by the listener below this one, so the failure comes through it.
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
          // A second message, where one is all that there may be.
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
          // An agent's stream: it ends as with any message that breaks a rule, after what was good is answered.
          super.onMessage((Q) InputStream.nullInputStream());
          return;
        }
        refused = true;
        refusals.add(Refusals.Reason.INVALID_MESSAGE, call.getMethodDescriptor().getFullMethodName() + " from "
            + call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR) + ": " + why);
        call.close(Status.INVALID_ARGUMENT.withDescription("the request is no message: " + why), new Metadata());
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
