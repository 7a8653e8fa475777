package dev.exit137.aggregator.query;

import com.google.protobuf.Message;
import dev.exit137.aggregator.access.Caller;
import dev.exit137.aggregator.store.EventKind;
import dev.exit137.aggregator.store.EventPage;
import dev.exit137.aggregator.store.EventQuery;
import dev.exit137.aggregator.store.EventStore;
import dev.exit137.aggregator.store.PageToken;
import dev.exit137.aggregator.store.ResumeToken;
import dev.exit137.aggregator.store.SummaryQuery;
import dev.exit137.aggregator.store.SummaryRow;
import dev.exit137.proto.v1.GetEventRequest;
import dev.exit137.proto.v1.SummarizeEventsResponse;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.sql.SQLException;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What the services of all kinds of events answer in the same way, from the store. */
final class Answers {
    // gRPC clients accept messages of at most 4 MiB by default.
    static final int MAX_PAGE_BYTES = 3 << 20;

    private static final Logger LOG = LoggerFactory.getLogger(Answers.class);

    private Answers() {}

    /** Computes the answer of a call. */
    interface Answer {
        void run() throws SQLException;
    }

    /** The one response of a call. */
    interface Response<P> {
        P get() throws SQLException;
    }

    /** A page of events, newest stored first, and its tokens. */
    record Page<E>(List<E> events, String nextPageToken, String resumeToken) {}

    /** Runs the answer; a request that breaks a rule, and a store that cannot be read, end the call. */
    static void run(StreamObserver<?> responses, Answer answer) {
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

    /** Answers a call with one response. */
    static <P> void one(StreamObserver<P> responses, Response<P> response) {
        run(responses, () -> {
            responses.onNext(response.get());
            responses.onCompleted();
        });
    }

    static <E extends Message> Page<E> page(EventStore store, EventQuery<E> query, int pageSize, String pageToken)
            throws SQLException {
        int size = Requests.pageSize(pageSize);
        PageToken token = Requests.page(pageToken, query, store);
        EventPage<E> page = store.newestBefore(query, token.beforeRowId(), size, MAX_PAGE_BYTES);
        String next = page.more() ? token.next(page.events().getLast().rowId()).encode() : "";
        return new Page<>(
                page.events().stream()
                        .map(stored -> shown(query.kind(), stored.event()))
                        .toList(),
                next,
                token.watchAfter().encode());
    }

    static <E extends Message> E find(EventStore store, EventKind<E> kind, GetEventRequest request)
            throws SQLException {
        if (request.getEventId().isEmpty()) {
            throw Requests.invalid("event_id", "it is empty");
        }
        List<E> found = store.withId(kind, request.getEventId()).stream()
                .filter(event ->
                        request.getNode().isEmpty() || node(kind, event).equals(request.getNode()))
                .toList();
        return switch (found.size()) {
            case 0 ->
                throw Status.NOT_FOUND
                        .withDescription("no event has the id " + request.getEventId()
                                + (request.getNode().isEmpty() ? "" : " on node " + request.getNode()))
                        .asRuntimeException();
            case 1 -> shown(kind, found.getFirst());
            default ->
                throw Status.FAILED_PRECONDITION
                        .withDescription("node: several nodes have an event with this id; give one of "
                                + String.join(
                                        ", ",
                                        found.stream()
                                                .map(event -> node(kind, event))
                                                .sorted()
                                                .toList()))
                        .asRuntimeException();
        };
    }

    /** Returns the event as the caller may read it. */
    private static <E extends Message> E shown(EventKind<E> kind, E event) {
        return Caller.current().mayReadSender() ? event : kind.withoutSender(event);
    }

    private static <E extends Message> String node(EventKind<E> kind, E event) {
        return kind.facts(event).node();
    }

    /** Answers a call with a summary. */
    static void summarize(EventStore store, SummaryQuery query, StreamObserver<SummarizeEventsResponse> responses)
            throws SQLException {
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
    }
}
