package dev.exit137.aggregator;

import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.EventAck;
import dev.exit137.proto.v1.EventIngestGrpc.EventIngestStub;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.PublishEventsRequest;
import dev.exit137.proto.v1.PublishEventsResponse;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** An agent's stream: what it sends, the acknowledgements it gets, and how it ends. */
final class TestAgent implements StreamObserver<PublishEventsResponse> {
    private static final long PATIENCE_SECONDS = 60;

    private final BlockingQueue<EventAck> acks = new LinkedBlockingQueue<>();
    private final CompletableFuture<Status> end = new CompletableFuture<>();
    private final StreamObserver<PublishEventsRequest> requests;

    TestAgent(EventIngestStub stub) {
        requests = stub.publishEvents(this);
    }

    void send(OomKillEvent event) {
        requests.onNext(PublishEventsRequest.newBuilder().setEvent(event).build());
    }

    void send(ExitEvent exit) {
        requests.onNext(PublishEventsRequest.newBuilder().setExit(exit).build());
    }

    void send(AgentStatus status) {
        requests.onNext(PublishEventsRequest.newBuilder().setStatus(status).build());
    }

    void send(PublishEventsRequest request) {
        requests.onNext(request);
    }

    /** Sends a message that holds nothing. */
    void sendEmpty() {
        requests.onNext(PublishEventsRequest.getDefaultInstance());
    }

    /** Waits for an acknowledgement; fails when the stream ends before. */
    EventAck nextAck() {
        return ackOrEnd()
                .orElseThrow(() -> new AssertionError("the stream ended before the acknowledgement: " + end.join()));
    }

    /** Waits for an acknowledgement, or for the end of the stream. */
    Optional<EventAck> ackOrEnd() {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        try {
            while (System.nanoTime() < deadline) {
                boolean ended = end.isDone();
                EventAck ack = acks.poll(10, TimeUnit.MILLISECONDS);
                if (ack != null || ended) {
                    return Optional.ofNullable(ack);
                }
            }
            throw new AssertionError("neither an acknowledgement nor the end of the stream");
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** Whether the stream has ended. */
    boolean hasEnded() {
        return end.isDone();
    }

    /** The acknowledgements that came and were not taken. */
    int untakenAcks() {
        return acks.size();
    }

    /** Sends no more, and waits for the end. */
    Status finish() {
        requests.onCompleted();
        return end();
    }

    /** Waits for the end. */
    Status end() {
        return end.copy().orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join();
    }

    @Override
    public void onNext(PublishEventsResponse response) {
        acks.addAll(response.getAcksList());
    }

    @Override
    public void onError(Throwable failure) {
        end.complete(Status.fromThrowable(failure));
    }

    @Override
    public void onCompleted() {
        end.complete(Status.OK);
    }
}
