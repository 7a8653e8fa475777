package dev.exit137.bench;

import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.EventIngestGrpc;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.PublishEventsRequest;
import dev.exit137.proto.v1.PublishEventsResponse;
import io.grpc.ManagedChannel;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/** The stream of one agent, with a window: a maximum number of events that are sent but not acknowledged. */
final class Publisher implements StreamObserver<PublishEventsResponse> {
    private static final int WINDOW = 256;
    private static final long LIMIT_SECONDS = 300;

    private final Semaphore window = new Semaphore(WINDOW);
    private final String node;
    private final OomKillEvent template;
    private final StreamObserver<PublishEventsRequest> requests;
    private volatile Throwable failure;

    /** @param template the event to send; each copy gets its own id and node */
    Publisher(ManagedChannel channel, String node, OomKillEvent template) {
        this.node = node;
        this.template = template.toBuilder()
                .setNode(Node.newBuilder().setName(node).setBootId("bench"))
                .build();
        requests = EventIngestGrpc.newStub(channel).publishEvents(this);
        requests.onNext(PublishEventsRequest.newBuilder()
                .setStatus(AgentStatus.newBuilder().setNode(this.template.getNode()))
                .build());
    }

    /** Sends one event; waits while the window is full. */
    void publish(String eventId) throws InterruptedException {
        take(1);
        requests.onNext(PublishEventsRequest.newBuilder()
                .setEvent(template.toBuilder().setEventId(eventId))
                .build());
    }

    /** Waits until all sent events are durable. */
    void awaitAcks() throws InterruptedException {
        take(WINDOW);
        window.release(WINDOW);
    }

    private void take(int permits) throws InterruptedException {
        if (!window.tryAcquire(permits, LIMIT_SECONDS, TimeUnit.SECONDS) || failure != null) {
            throw new IllegalStateException("the stream of " + node + " stands still", failure);
        }
    }

    @Override
    public void onNext(PublishEventsResponse response) {
        window.release(response.getAcksCount());
    }

    @Override
    public void onError(Throwable cause) {
        failure = cause;
        window.release(WINDOW);
    }

    @Override
    public void onCompleted() {
        onError(new IllegalStateException("the aggregator ended the stream"));
    }
}
