package dev.exit137.aggregator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import dev.exit137.proto.guard.Guard;
import dev.exit137.proto.v1.EventIngestGrpc;
import dev.exit137.proto.v1.PublishEventsRequest;
import dev.exit137.proto.v1.PublishEventsResponse;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.Status;
import java.util.Map;
import org.junit.jupiter.api.Test;

class GuardedCallsTest {
  private final Guard guard = new Guard();
  private final GuardedCalls guarded = new GuardedCalls(guard);
  private final Call call = new Call();
  private boolean handlerLearntOfTheEnd;

  @Test
  void aHandlerThatThrowsAsItBeginsEndsItsCall() {
    ServerCall.Listener<PublishEventsRequest> listener = begin((_, _) -> {
      throw new IllegalStateException("a defect of the test");
    });

    assertThat(call.end.getCode()).isEqualTo(Status.Code.INTERNAL);
    assertThatCode(listener::onHalfClose).doesNotThrowAnyException();
    assertThat(guard.counts()).containsExactly(Map.entry("ingest", 1L));
  }

  @Test
  void aHandlerThatThrowsLaterEndsItsCallAndLearnsOfIt() {
    ServerCall.Listener<PublishEventsRequest> listener = begin((_, _) -> new Handler() {
      @Override
      public void onReady() {
        throw new NoClassDefFoundError("a defect of the test");
      }
    });

    listener.onReady();

    assertThat(call.end.getCode()).isEqualTo(Status.Code.INTERNAL);
    assertThat(call.end.getDescription()).startsWith("a defect of exit137");
    assertThat(handlerLearntOfTheEnd).isTrue();
    assertThat(guard.counts()).containsExactly(Map.entry("ingest", 1L));
  }

  @Test
  void aHandlerThatThrowsAfterItsAnswerLeavesTheAnswerAsItIs() {
    ServerCall.Listener<PublishEventsRequest> listener = begin((_, _) -> new Handler() {
      @Override
      public void onHalfClose() {
        call.close(Status.OK, new Metadata());
        throw new IllegalStateException("a defect of the test");
      }
    });

    listener.onHalfClose();

    assertThat(call.end.isOk()).isTrue();
    assertThat(guard.counts()).containsExactly(Map.entry("ingest", 1L));
  }

  @Test
  void whatAHandlerThrowsAtTheEndOfItsCallIsCounted() {
    ServerCall.Listener<PublishEventsRequest> listener = begin((_, _) -> new Handler() {
      @Override
      public void onCancel() {
        throw new IllegalStateException("a defect of the test");
      }
    });

    listener.onCancel();

    assertThat(guard.counts()).containsExactly(Map.entry("ingest", 1L));
  }

  private ServerCall.Listener<PublishEventsRequest> begin(
      ServerCallHandler<PublishEventsRequest, PublishEventsResponse> handler) {
    return guarded.interceptCall(call, new Metadata(), handler);
  }

  private class Handler extends ServerCall.Listener<PublishEventsRequest> {
    @Override
    public void onCancel() {
      handlerLearntOfTheEnd = true;
    }
  }

  /** A call that remembers how it ended. */
  private static final class Call extends ServerCall<PublishEventsRequest, PublishEventsResponse> {
    private Status end;

    @Override
    public void request(int messages) {}

    @Override
    public void sendHeaders(Metadata headers) {}

    @Override
    public void sendMessage(PublishEventsResponse message) {}

    @Override
    public void close(Status status, Metadata trailers) {
      if (end != null) {
        throw new IllegalStateException("call already closed");
      }
      end = status;
    }

    @Override
    public boolean isCancelled() {
      return false;
    }

    @Override
    public MethodDescriptor<PublishEventsRequest, PublishEventsResponse> getMethodDescriptor() {
      return EventIngestGrpc.getPublishEventsMethod();
    }
  }
}
