package dev.exit137.agent;

import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.EventAck;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.PublishEventsRequest;
import dev.exit137.proto.v1.PublishEventsResponse;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Predicate;

/** One stream of an agent as the aggregator sees it. Messages come on grpc's thread and are taken on the test's. */
final class AgentStream implements StreamObserver<PublishEventsRequest> {
    private final BlockingQueue<PublishEventsRequest> messages = new LinkedBlockingQueue<>();
    private final StreamObserver<PublishEventsResponse> responses;

    AgentStream(StreamObserver<PublishEventsResponse> responses) {
        this.responses = responses;
    }

    PublishEventsRequest next() throws InterruptedException {
        return next(Await.deadlineNanos());
    }

    /** The next message if it has come already, or null. */
    PublishEventsRequest poll() {
        return messages.poll();
    }

    private PublishEventsRequest next(long deadlineNanos) throws InterruptedException {
        PublishEventsRequest message = messages.poll(deadlineNanos - System.nanoTime(), TimeUnit.NANOSECONDS);
        if (message == null) {
            throw new AssertionError("the agent did not send what was waited for");
        }
        return message;
    }

    /** The next events, whatever statuses come between. */
    List<OomKillEvent> nextEvents(int count) throws InterruptedException {
        long deadlineNanos = Await.deadlineNanos();
        List<OomKillEvent> events = new ArrayList<>();
        while (events.size() < count) {
            PublishEventsRequest message = next(deadlineNanos);
            if (message.hasEvent()) {
                events.add(message.getEvent());
            }
        }
        return events;
    }

    /** The next status for which {@code condition} holds; each event that comes before it goes to {@code events}. */
    AgentStatus nextStatus(Predicate<AgentStatus> condition, Consumer<OomKillEvent> events)
            throws InterruptedException {
        long deadlineNanos = Await.deadlineNanos();
        while (true) {
            PublishEventsRequest message = next(deadlineNanos);
            if (message.hasEvent()) {
                events.accept(message.getEvent());
            } else if (condition.test(message.getStatus())) {
                return message.getStatus();
            }
        }
    }

    void acknowledge(OomKillEvent event) {
        acknowledge(List.of(event));
    }

    void acknowledge(List<OomKillEvent> events) {
        PublishEventsResponse.Builder response = PublishEventsResponse.newBuilder();
        for (OomKillEvent event : events) {
            response.addAcks(
                    EventAck.newBuilder().setEventId(event.getEventId()).setRevision(event.getRevision()));
        }
        responses.onNext(response.build());
    }

    void breakOff(Status status) {
        responses.onError(status.asRuntimeException());
    }

    @Override
    public void onNext(PublishEventsRequest message) {
        messages.add(message);
    }

    @Override
    public void onError(Throwable failure) {}

    @Override
    public void onCompleted() {
        responses.onCompleted();
    }
}
