package dev.exit137.aggregator.query;

import dev.exit137.aggregator.store.EventKind;
import dev.exit137.aggregator.store.EventQuery;
import dev.exit137.aggregator.store.EventStore;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEventsGrpc;
import dev.exit137.proto.v1.GetEventRequest;
import dev.exit137.proto.v1.Heartbeat;
import dev.exit137.proto.v1.ListExitsRequest;
import dev.exit137.proto.v1.ListExitsResponse;
import dev.exit137.proto.v1.SummarizeEventsResponse;
import dev.exit137.proto.v1.SummarizeExitsRequest;
import dev.exit137.proto.v1.WatchExitsRequest;
import dev.exit137.proto.v1.WatchExitsResponse;
import io.grpc.stub.StreamObserver;

/** Answers consumers from the store about the ends of containers, services and processes. */
public final class ExitEventsService extends ExitEventsGrpc.ExitEventsImplBase {
    static final WatchForm<ExitEvent, WatchExitsResponse> WATCH = new WatchForm<>() {
        @Override
        public WatchExitsResponse event(ExitEvent event, String resumeToken) {
            return WatchExitsResponse.newBuilder()
                    .setExit(event)
                    .setResumeToken(resumeToken)
                    .build();
        }

        @Override
        public WatchExitsResponse heartbeat(Heartbeat heartbeat, String resumeToken) {
            return WatchExitsResponse.newBuilder()
                    .setHeartbeat(heartbeat)
                    .setResumeToken(resumeToken)
                    .build();
        }
    };

    private final EventStore store;
    private final Watches watches;

    /** Serves the store. */
    public ExitEventsService(EventStore store, Watches watches) {
        this.store = store;
        this.watches = watches;
    }

    @Override
    public void watchExits(WatchExitsRequest request, StreamObserver<WatchExitsResponse> responses) {
        Answers.run(
                responses,
                () -> watches.begin(
                        Requests.query(request.getFilter()),
                        Requests.start(request, store),
                        Requests.heartbeatNanos(request.hasHeartbeatInterval(), request.getHeartbeatInterval()),
                        WATCH,
                        responses));
    }

    @Override
    public void listExits(ListExitsRequest request, StreamObserver<ListExitsResponse> responses) {
        Answers.one(responses, () -> {
            EventQuery<ExitEvent> query = Requests.query(request.getFilter());
            Answers.Page<ExitEvent> page = Answers.page(store, query, request.getPageSize(), request.getPageToken());
            return ListExitsResponse.newBuilder()
                    .addAllExits(page.events())
                    .setNextPageToken(page.nextPageToken())
                    .setResumeToken(page.resumeToken())
                    .build();
        });
    }

    @Override
    public void getExit(GetEventRequest request, StreamObserver<ExitEvent> responses) {
        Answers.one(responses, () -> Answers.find(store, EventKind.EXIT, request));
    }

    @Override
    public void summarizeExits(SummarizeExitsRequest request, StreamObserver<SummarizeEventsResponse> responses) {
        Answers.run(responses, () -> Answers.summarize(store, Requests.summary(request), responses));
    }
}
