package dev.exit137.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEventsGrpc.ExitEventsImplBase;
import dev.exit137.proto.v1.ExitFilter;
import dev.exit137.proto.v1.GetEventRequest;
import dev.exit137.proto.v1.Heartbeat;
import dev.exit137.proto.v1.ListExitsRequest;
import dev.exit137.proto.v1.ListExitsResponse;
import dev.exit137.proto.v1.SummarizeEventsResponse;
import dev.exit137.proto.v1.SummarizeExitsRequest;
import dev.exit137.proto.v1.WatchExitsRequest;
import dev.exit137.proto.v1.WatchExitsResponse;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** The ends that a {@link FakeAggregator} has. */
final class FakeExits extends ExitEventsImplBase {
    final List<ListExitsRequest> lists = new ArrayList<>();
    final List<SummarizeExitsRequest> summaries = new ArrayList<>();
    SummarizeEventsResponse summary = SummarizeEventsResponse.getDefaultInstance();

    private final BlockingQueue<WatchExitsRequest> watches = new LinkedBlockingQueue<>();
    private final List<ExitEvent> events = new ArrayList<>();
    private final List<StreamObserver<WatchExitsResponse>> watchers = new ArrayList<>();

    /** What the next watch asked for, waited for. */
    WatchExitsRequest nextWatch() throws InterruptedException {
        WatchExitsRequest request = watches.poll(60, TimeUnit.SECONDS);
        assertThat(request).as("a watch of ends").isNotNull();
        return request;
    }

    boolean isWatched() {
        return !watches.isEmpty();
    }

    synchronized void store(ExitEvent event) {
        events.add(event);
        watchers.forEach(watcher -> watcher.onNext(message(events.size())));
    }

    synchronized void end(Status status) {
        watchers.forEach(watcher -> watcher.onError(status.asException()));
        watchers.clear();
    }

    synchronized void forgetWatchers() {
        watchers.clear();
    }

    private WatchExitsResponse message(int ordinal) {
        return WatchExitsResponse.newBuilder()
                .setExit(events.get(ordinal - 1))
                .setResumeToken("store1/" + ordinal)
                .build();
    }

    @Override
    public synchronized void watchExits(WatchExitsRequest request, StreamObserver<WatchExitsResponse> watcher) {
        watcher.onNext(WatchExitsResponse.newBuilder()
                .setHeartbeat(Heartbeat.newBuilder().setTime(Events.TIME))
                .setResumeToken("store1/0")
                .build());
        watchers.add(watcher);
        watches.add(request);
    }

    @Override
    public synchronized void listExits(ListExitsRequest request, StreamObserver<ListExitsResponse> answer) {
        lists.add(request);
        List<ExitEvent> matching = events.reversed().stream()
                .filter(event -> matches(request.getFilter(), event))
                .toList();
        int from = request.getPageToken().isEmpty() ? 0 : Integer.parseInt(request.getPageToken());
        int to = Math.min(from + request.getPageSize(), matching.size());
        answer.onNext(ListExitsResponse.newBuilder()
                .addAllExits(matching.subList(from, to))
                .setNextPageToken(to < matching.size() ? Integer.toString(to) : "")
                .build());
        answer.onCompleted();
    }

    /** As far as the tests need it. */
    private static boolean matches(ExitFilter filter, ExitEvent event) {
        return is(filter.getNode(), event.getNode().getName())
                && is(filter.getUnit(), event.getUnit())
                && is(filter.getNamespace(), event.getContainer().getPod().getNamespace())
                && is(filter.getPod(), event.getContainer().getPod().getName())
                && (is(filter.getContainer(), event.getContainer().getName())
                        || is(filter.getContainer(), event.getContainer().getId()))
                && (filter.getExitCodesCount() == 0 || filter.getExitCodesList().contains(event.getExitCode()));
    }

    private static boolean is(String wanted, String value) {
        return wanted.isEmpty() || wanted.equals(value);
    }

    @Override
    public synchronized void getExit(GetEventRequest request, StreamObserver<ExitEvent> answer) {
        events.stream()
                .filter(event -> event.getEventId().equals(request.getEventId()))
                .findFirst()
                .ifPresentOrElse(
                        event -> {
                            answer.onNext(event);
                            answer.onCompleted();
                        },
                        () -> answer.onError(Status.NOT_FOUND
                                .withDescription("no event has this id")
                                .asException()));
    }

    @Override
    public void summarizeExits(SummarizeExitsRequest request, StreamObserver<SummarizeEventsResponse> answer) {
        summaries.add(request);
        answer.onNext(summary);
        answer.onCompleted();
    }
}
