package dev.exit137.aggregator.query;

import com.google.protobuf.CodedOutputStream;
import dev.exit137.aggregator.ingest.ConnectedNodes;
import dev.exit137.aggregator.store.EventKind;
import dev.exit137.aggregator.store.EventQuery;
import dev.exit137.aggregator.store.EventStore;
import dev.exit137.aggregator.store.StoredNode;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.GetEventRequest;
import dev.exit137.proto.v1.Heartbeat;
import dev.exit137.proto.v1.ListEventsRequest;
import dev.exit137.proto.v1.ListEventsResponse;
import dev.exit137.proto.v1.ListNodesRequest;
import dev.exit137.proto.v1.ListNodesResponse;
import dev.exit137.proto.v1.NodeState;
import dev.exit137.proto.v1.OomEventsGrpc;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.SummarizeEventsRequest;
import dev.exit137.proto.v1.SummarizeEventsResponse;
import dev.exit137.proto.v1.WatchEventsRequest;
import dev.exit137.proto.v1.WatchEventsResponse;
import io.grpc.Metadata;
import io.grpc.stub.StreamObserver;
import java.sql.SQLException;

/** Answers consumers from the store about kills by the kernel, and about the nodes. */
public final class OomEventsService extends OomEventsGrpc.OomEventsImplBase {
    /** Trailer of an OUT_OF_RANGE: the token with which a watch can continue, if there is one (oom_events.proto). */
    public static final Metadata.Key<String> OLDEST_RESUME_TOKEN =
            Metadata.Key.of("exit137-oldest-resume-token", Metadata.ASCII_STRING_MARSHALLER);

    static final WatchForm<OomKillEvent, WatchEventsResponse> WATCH = new WatchForm<>() {
        @Override
        public WatchEventsResponse event(OomKillEvent event, String resumeToken) {
            return WatchEventsResponse.newBuilder()
                    .setEvent(event)
                    .setResumeToken(resumeToken)
                    .build();
        }

        @Override
        public WatchEventsResponse heartbeat(Heartbeat heartbeat, String resumeToken) {
            return WatchEventsResponse.newBuilder()
                    .setHeartbeat(heartbeat)
                    .setResumeToken(resumeToken)
                    .build();
        }
    };

    private final EventStore store;
    private final ConnectedNodes connected;
    private final Watches watches;
    private final Guard guard;

    /** Serves the store and the state of the nodes; the guard's counts are part of the latter. */
    public OomEventsService(EventStore store, ConnectedNodes connected, Watches watches, Guard guard) {
        this.store = store;
        this.connected = connected;
        this.watches = watches;
        this.guard = guard;
    }

    @Override
    public void watchEvents(WatchEventsRequest request, StreamObserver<WatchEventsResponse> responses) {
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
    public void listEvents(ListEventsRequest request, StreamObserver<ListEventsResponse> responses) {
        Answers.one(responses, () -> {
            EventQuery<OomKillEvent> query = Requests.query(request.getFilter());
            Answers.Page<OomKillEvent> page = Answers.page(store, query, request.getPageSize(), request.getPageToken());
            return ListEventsResponse.newBuilder()
                    .addAllEvents(page.events())
                    .setNextPageToken(page.nextPageToken())
                    .setResumeToken(page.resumeToken())
                    .build();
        });
    }

    @Override
    public void getEvent(GetEventRequest request, StreamObserver<OomKillEvent> responses) {
        Answers.one(responses, () -> Answers.find(store, EventKind.OOM, request));
    }

    @Override
    public void summarizeEvents(SummarizeEventsRequest request, StreamObserver<SummarizeEventsResponse> responses) {
        Answers.run(responses, () -> Answers.summarize(store, Requests.summary(request), responses));
    }

    @Override
    public void listNodes(ListNodesRequest request, StreamObserver<ListNodesResponse> responses) {
        Answers.one(responses, () -> page(request));
    }

    private ListNodesResponse page(ListNodesRequest request) throws SQLException {
        int size = Requests.pageSize(request);
        ListNodesResponse.Builder response = ListNodesResponse.newBuilder().putAllInternalErrors(guard.counts());
        int[] bytesLeft = {Answers.MAX_PAGE_BYTES - response.build().getSerializedSize()};
        boolean all = store.nodesAfter(Requests.lastNode(request), node -> {
            NodeState state = state(node);
            bytesLeft[0] -= CodedOutputStream.computeMessageSize(ListNodesResponse.NODES_FIELD_NUMBER, state);
            boolean fits = response.getNodesCount() < size && (bytesLeft[0] >= 0 || response.getNodesCount() == 0);
            if (fits) {
                response.addNodes(state);
            }
            return fits;
        });
        if (!all) {
            String last = response.getNodes(response.getNodesCount() - 1)
                    .getStatus()
                    .getNode()
                    .getName();
            response.setNextPageToken(new NodePageToken(last).encode());
        }
        return response.build();
    }

    private NodeState state(StoredNode node) {
        return NodeState.newBuilder()
                .setStatus(node.status())
                .setLastSeen(node.lastSeen())
                .setConnected(connected.contains(node.status().getNode().getName()))
                .build();
    }
}
