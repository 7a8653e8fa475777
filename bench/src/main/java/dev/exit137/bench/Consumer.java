package dev.exit137.bench;

import dev.exit137.proto.v1.OomEventsGrpc;
import dev.exit137.proto.v1.WatchEventsRequest;
import dev.exit137.proto.v1.WatchEventsResponse;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.util.concurrent.CountDownLatch;
import java.util.function.ObjLongConsumer;

/** A watch. A slow consumer requests only its first message. */
final class Consumer implements ClientResponseObserver<WatchEventsRequest, WatchEventsResponse> {
    private final boolean slow;
    private final ObjLongConsumer<String> received;
    private final CountDownLatch connected = new CountDownLatch(1);
    private ClientCallStreamObserver<WatchEventsRequest> call;
    private volatile long events;

    /** @param received gets each event's id, and System.nanoTime() */
    Consumer(ManagedChannel channel, boolean slow, ObjLongConsumer<String> received) {
        this.slow = slow;
        this.received = received;
        OomEventsGrpc.newStub(channel).watchEvents(WatchEventsRequest.getDefaultInstance(), this);
    }

    /** Waits for the first heartbeat: after it the watch delivers every event. */
    void awaitConnected() throws InterruptedException {
        connected.await();
    }

    long events() {
        return events;
    }

    @Override
    public void beforeStart(ClientCallStreamObserver<WatchEventsRequest> call) {
        this.call = call;
        call.disableAutoRequestWithInitial(1);
    }

    @Override
    @SuppressWarnings("NonAtomicOperationOnVolatileField")
    public void onNext(WatchEventsResponse response) {
        connected.countDown();
        if (response.hasEvent()) {
            // One thread delivers all messages.
            events++;
            received.accept(response.getEvent().getEventId(), System.nanoTime());
        }
        if (!slow) {
            call.request(1);
        }
    }

    @Override
    public void onError(Throwable cause) {
        if (Status.fromThrowable(cause).getCode() != Status.Code.UNAVAILABLE) {
            System.err.println("bench: a watch ended: " + cause);
        }
    }

    @Override
    public void onCompleted() {
        onError(new IllegalStateException("the aggregator ended the watch"));
    }
}
