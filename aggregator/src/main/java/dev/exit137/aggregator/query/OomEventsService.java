package dev.exit137.aggregator.query;

import com.google.protobuf.CodedOutputStream;
import dev.exit137.aggregator.access.Caller;
import dev.exit137.aggregator.ingest.ConnectedNodes;
import dev.exit137.aggregator.server.Refusals;
import dev.exit137.aggregator.store.EventPage;
import dev.exit137.aggregator.store.EventQuery;
import dev.exit137.aggregator.store.EventStore;
import dev.exit137.aggregator.store.PageToken;
import dev.exit137.aggregator.store.ResumeToken;
import dev.exit137.aggregator.store.StoredNode;
import dev.exit137.aggregator.store.SummaryQuery;
import dev.exit137.aggregator.store.SummaryRow;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.GetEventRequest;
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
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.sql.SQLException;
import java.time.InstantSource;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Answers consumers from the store. Its calls and its watches run on the given executor. */
public final class OomEventsService extends OomEventsGrpc.OomEventsImplBase implements AutoCloseable {
    /** Trailer of an OUT_OF_RANGE: the token with which a watch can continue, if there is one (oom_events.proto). */
    public static final Metadata.Key<String> OLDEST_RESUME_TOKEN =
            Metadata.Key.of("exit137-oldest-resume-token", Metadata.ASCII_STRING_MARSHALLER);

    private static final Logger LOG = LoggerFactory.getLogger(OomEventsService.class);

    // gRPC clients accept messages of at most 4 MiB by default.
    private static final int MAX_PAGE_BYTES = 3 << 20;

    private final EventStore store;
    private final ConnectedNodes connected;
    private final EventWatch.Shared shared;
    private final Guard guard;
    private final Set<EventWatch> watches = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    /**
     * Serves the store.
     *
     * @param executor does the work of the watches
     * @param timer schedules the heartbeats; its thread must not be held up
     * @param clock the wall clock
     * @param refusals counts the watches that are ended
     */
    public OomEventsService(
            EventStore store,
            ConnectedNodes connected,
            Executor executor,
            ScheduledExecutorService timer,
            InstantSource clock,
            Refusals refusals,
            Guard guard) {
        this.store = store;
        this.connected = connected;
        this.guard = guard;
        shared = new EventWatch.Shared(store, executor, timer, clock, refusals, guard);
        store.onCommit(() -> watches.forEach(watch -> guard.run("watch", watch::signal)));
    }

    @Override
    public void watchEvents(WatchEventsRequest request, StreamObserver<WatchEventsResponse> responses) {
        answer(responses, () -> {
            EventWatch watch = new EventWatch(
                    shared,
                    Requests.query(request.getFilter()),
                    Requests.start(request, store),
                    Requests.heartbeatNanos(request),
                    (ServerCallStreamObserver<WatchEventsResponse>) responses,
                    Caller.current(),
                    watches::remove);
            watches.add(watch);
            try {
                watch.open();
            } catch (Throwable e) {
                watches.remove(watch);
                throw e;
            }
            if (closed) {
                close();
            }
        });
    }

    @Override
    public void listEvents(ListEventsRequest request, StreamObserver<ListEventsResponse> responses) {
        answer(responses, () -> {
            responses.onNext(page(request));
            responses.onCompleted();
        });
    }

    @Override
    public void getEvent(GetEventRequest request, StreamObserver<OomKillEvent> responses) {
        answer(responses, () -> {
            responses.onNext(find(request));
            responses.onCompleted();
        });
    }

    @Override
    public void summarizeEvents(SummarizeEventsRequest request, StreamObserver<SummarizeEventsResponse> responses) {
        answer(responses, () -> {
            SummaryQuery query = Requests.summary(request);
            if (((ServerCallStreamObserver<?>) responses).isCancelled()) {
                // The caller cancelled while the call waited for another summary.
                return;
            }
            long upToRowId = store.lastRowId();
            List<SummaryRow> rows = store.summarize(query, upToRowId, Summaries.MAX_ROWS);
            if (Summaries.tooMany(rows)) {
                throw Requests.invalid(
                        "bucket",
                        "there are more than 10000 spans of time, of all groups together; give a longer bucket, fewer groups or "
                                + "less time");
            }
            responses.onNext(Summaries.response(query, rows)
                    .setResumeToken(ResumeToken.after(store.id(), upToRowId).encode())
                    .build());
            responses.onCompleted();
        });
    }

    @Override
    public void listNodes(ListNodesRequest request, StreamObserver<ListNodesResponse> responses) {
        answer(responses, () -> {
            responses.onNext(page(request));
            responses.onCompleted();
        });
    }

    /** Returns the number of open watches. */
    public int watches() {
        return watches.size();
    }

    /** Ends the watches of callers with an expired certificate or token. Must be called periodically. */
    public void endUnproven() {
        watches.forEach(EventWatch::endIfUnproven);
    }

    /** Ends every watch with UNAVAILABLE. */
    @Override
    public void close() {
        closed = true;
        Status status = Status.UNAVAILABLE.withDescription(
                "the aggregator is stopping; connect again with the last resume_token");
        watches.forEach(watch -> guard.run("watch", () -> watch.end(status)));
    }

    private ListEventsResponse page(ListEventsRequest request) throws SQLException {
        EventQuery query = Requests.query(request.getFilter());
        int size = Requests.pageSize(request);
        PageToken token = Requests.page(request, query, store);
        EventPage page = store.newestBefore(query, token.beforeRowId(), size, MAX_PAGE_BYTES);
        ListEventsResponse.Builder response = ListEventsResponse.newBuilder()
                .setResumeToken(token.watchAfter().encode());
        page.events().forEach(stored -> response.addEvents(stored.event()));
        if (page.more()) {
            response.setNextPageToken(
                    token.next(page.events().getLast().rowId()).encode());
        }
        return response.build();
    }

    private ListNodesResponse page(ListNodesRequest request) throws SQLException {
        int size = Requests.pageSize(request);
        ListNodesResponse.Builder response = ListNodesResponse.newBuilder().putAllInternalErrors(guard.counts());
        int[] bytesLeft = {MAX_PAGE_BYTES - response.build().getSerializedSize()};
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

    private OomKillEvent find(GetEventRequest request) throws SQLException {
        if (request.getEventId().isEmpty()) {
            throw Requests.invalid("event_id", "it is empty");
        }
        List<OomKillEvent> found = store.withId(request.getEventId()).stream()
                .filter(event ->
                        request.getNode().isEmpty() || event.getNode().getName().equals(request.getNode()))
                .toList();
        return switch (found.size()) {
            case 0 ->
                throw Status.NOT_FOUND
                        .withDescription("no event has the id " + request.getEventId()
                                + (request.getNode().isEmpty() ? "" : " on node " + request.getNode()))
                        .asRuntimeException();
            case 1 -> found.getFirst();
            default ->
                throw Status.FAILED_PRECONDITION
                        .withDescription("node: several nodes have an event with this id; give one of "
                                + String.join(
                                        ", ",
                                        found.stream()
                                                .map(event -> event.getNode().getName())
                                                .sorted()
                                                .toList()))
                        .asRuntimeException();
        };
    }

    /** Computes the answer of a call. */
    private interface Answer {
        void run() throws SQLException;
    }

    private static void answer(StreamObserver<?> responses, Answer answer) {
        try {
            answer.run();
        } catch (StatusRuntimeException refused) {
            responses.onError(refused);
        } catch (SQLException e) {
            LOG.error("a call fails, as the store cannot be read", e);
            responses.onError(Status.UNAVAILABLE
                    .withDescription("the aggregator's store could not be read: " + e.getMessage())
                    .withCause(e)
                    .asRuntimeException());
        }
    }
}
