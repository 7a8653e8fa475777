package dev.exit137.aggregator.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.aggregator.TestCall;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.GetEventRequest;
import dev.exit137.proto.v1.OomEventsGrpc;
import dev.exit137.proto.v1.OomKillEvent;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class GuardedCallsTest {
    private final Guard guard = new Guard();
    private final TestCall<GetEventRequest, OomKillEvent> call = new TestCall<>(OomEventsGrpc.getGetEventMethod());
    private final List<String> handled = new ArrayList<>();

    /** Fails at every message, and notes what else comes. */
    private final ServerCall.Listener<GetEventRequest> failing = new ServerCall.Listener<>() {
        @Override
        public void onMessage(GetEventRequest message) {
            throw new LinkageError("nobody expected this");
        }

        @Override
        public void onHalfClose() {
            handled.add("half close");
        }

        @Override
        public void onCancel() {
            handled.add("cancel");
        }

        @Override
        public void onComplete() {
            handled.add("complete");
        }
    };

    @Test
    void aHandlerThatCannotBeginItsCallEndsThatCallAndIsCounted() {
        ServerCall.Listener<GetEventRequest> listener = new GuardedCalls(guard)
                .interceptCall(call, new Metadata(), (_, _) -> {
                    throw new IllegalStateException("nobody expected this");
                });

        assertThat(call.closed()).isEqualTo(GuardedCalls.FAILURE);
        assertThat(call.closed().getDescription())
                .isEqualTo("the aggregator failed at this unexpectedly; its log says why");
        assertThat(guard.counts()).isEqualTo(Map.of("query", 1L));
        listener.onComplete();
    }

    @Test
    void aHandlerThatFailsLearnsOfItAndIsGivenNothingMoreButTheEndOfItsCall() {
        ServerCall.Listener<GetEventRequest> listener =
                new GuardedCalls(guard).interceptCall(call, new Metadata(), (_, _) -> failing);

        listener.onMessage(GetEventRequest.getDefaultInstance());
        listener.onHalfClose();
        listener.onComplete();

        assertThat(call.closed()).isEqualTo(GuardedCalls.FAILURE);
        assertThat(handled).containsExactly("cancel", "complete");
        assertThat(guard.counts()).isEqualTo(Map.of("query", 1L));
    }

    @Test
    void aHandlerThatFailsAfterItsAnswerIsCountedOnceAndTheAnswerStays() {
        ServerCall.Listener<GetEventRequest> listener =
                new GuardedCalls(guard).interceptCall(call, new Metadata(), (_, _) -> failing);
        call.close(Status.OK, new Metadata());

        listener.onMessage(GetEventRequest.getDefaultInstance());

        assertThat(call.closed()).isEqualTo(Status.OK);
        assertThat(guard.counts()).isEqualTo(Map.of("query", 1L));
    }

    @Test
    void anAnswerToAClientThatHasGoneIsNoFault() {
        ServerCall.Listener<GetEventRequest> listener = new GuardedCalls(guard)
                .interceptCall(call, new Metadata(), (_, _) -> new ServerCall.Listener<>() {
                    @Override
                    public void onHalfClose() {
                        throw Status.CANCELLED
                                .withDescription("call already cancelled")
                                .asRuntimeException();
                    }
                });
        call.cancel();

        listener.onHalfClose();

        assertThat(guard.counts()).isEmpty();
    }

    @Test
    void whatAHandlerThrowsAtTheEndOfItsCallIsCountedOnce() {
        ServerCall.Listener<GetEventRequest> listener = new GuardedCalls(guard)
                .interceptCall(call, new Metadata(), (_, _) -> new ServerCall.Listener<>() {
                    @Override
                    public void onCancel() {
                        throw new NoClassDefFoundError("nobody expected this");
                    }
                });

        listener.onCancel();

        assertThat(guard.counts()).isEqualTo(Map.of("query", 1L));
    }
}
