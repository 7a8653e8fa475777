package dev.exit137.aggregator.query;

import com.google.protobuf.Duration;
import com.google.protobuf.Message;
import com.google.protobuf.Timestamp;
import com.google.protobuf.util.Timestamps;
import dev.exit137.aggregator.store.EpochNanos;
import dev.exit137.aggregator.store.EventQuery;
import dev.exit137.aggregator.store.EventStore;
import dev.exit137.aggregator.store.PageToken;
import dev.exit137.aggregator.store.ResumeToken;
import dev.exit137.aggregator.store.SummaryQuery;
import dev.exit137.proto.v1.EventFilter;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitFilter;
import dev.exit137.proto.v1.ListNodesRequest;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.SummarizeEventsRequest;
import dev.exit137.proto.v1.SummarizeEventsRequest.Dimension;
import dev.exit137.proto.v1.SummarizeExitsRequest;
import dev.exit137.proto.v1.WatchEventsRequest;
import dev.exit137.proto.v1.WatchExitsRequest;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.sql.SQLException;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/** Reads consumers' requests. A field that breaks its rule causes a StatusRuntimeException that names the field. */
final class Requests {
    private static final int DEFAULT_PAGE_SIZE = 100;
    private static final int MAX_PAGE_SIZE = 1000;
    private static final int MAX_KEYS = 8;
    private static final int MAX_EXIT_CODE = 255;
    private static final long MIN_BUCKET_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long MAX_BUCKET_NANOS = TimeUnit.DAYS.toNanos(3650);
    // The rule of Kubernetes, without its length limits: a prefix of 253 characters, a slash, a name of 63.
    private static final Pattern LABEL = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._/-]{0,316}");
    private static final long DEFAULT_HEARTBEAT_NANOS = TimeUnit.SECONDS.toNanos(10);
    private static final long MIN_HEARTBEAT_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
    private static final long MAX_HEARTBEAT_NANOS = TimeUnit.MINUTES.toNanos(10);

    private Requests() {}

    static EventQuery<OomKillEvent> query(EventFilter filter) {
        if (filter.getScopesList().contains(OomKillEvent.Scope.UNRECOGNIZED)) {
            throw invalid("filter.scopes", "it holds a number that is no scope");
        }
        requireValid("filter.since", filter.getSince());
        requireValid("filter.until", filter.getUntil());
        return ordered(EventQuery.of(filter), filter.hasSince() && filter.hasUntil());
    }

    static EventQuery<ExitEvent> query(ExitFilter filter) {
        if (filter.getCausesList().contains(ExitEvent.Cause.UNRECOGNIZED)) {
            throw invalid("filter.causes", "it holds a number that is no cause");
        }
        for (int code : filter.getExitCodesList()) {
            if (Integer.compareUnsigned(code, MAX_EXIT_CODE) > 0) {
                throw invalid(
                        "filter.exit_codes",
                        "it holds " + Integer.toUnsignedString(code) + "; an exit code is 0 to " + MAX_EXIT_CODE);
            }
        }
        requireValid("filter.since", filter.getSince());
        requireValid("filter.until", filter.getUntil());
        return ordered(EventQuery.of(filter), filter.hasSince() && filter.hasUntil());
    }

    private static <E extends Message> EventQuery<E> ordered(EventQuery<E> query, boolean hasBoth) {
        if (hasBoth && query.sinceNanos() >= query.untilNanos()) {
            throw invalid("filter.until", "it must be later than filter.since");
        }
        return query;
    }

    /** Returns the maximum number of events in a page. */
    static int pageSize(int requested) {
        return atMost("page_size", requested);
    }

    private static int atMost(String field, int requested) {
        if (requested < 0) {
            throw invalid(field, "it is " + requested + "; it must be 0 (for 100) or more");
        }
        return requested == 0 ? DEFAULT_PAGE_SIZE : Math.min(requested, MAX_PAGE_SIZE);
    }

    /** Returns the maximum number of nodes in a page. */
    static int pageSize(ListNodesRequest request) {
        if (request.getPageSize() < 0) {
            throw invalid(
                    "page_size", "it is " + request.getPageSize() + "; it must be 0 (for as many as fit) or more");
        }
        return request.getPageSize() == 0 ? Integer.MAX_VALUE : request.getPageSize();
    }

    /** Returns the last node before the page; empty for the first page. */
    static String lastNode(ListNodesRequest request) {
        try {
            return request.getPageToken().isEmpty()
                    ? ""
                    : NodePageToken.decode(request.getPageToken()).lastNode();
        } catch (IllegalArgumentException e) {
            throw invalid(
                    "page_token", "it is not a page token; give next_page_token of a ListNodes response, or nothing");
        }
    }

    /** Returns the requested page. */
    static PageToken page(String text, EventQuery<?> query, EventStore store) {
        if (text.isEmpty()) {
            return PageToken.first(store.id(), store.lastRowId(), query);
        }
        PageToken token;
        try {
            token = PageToken.decode(text);
        } catch (IllegalArgumentException e) {
            throw invalid("page_token", "it is not a page token; give next_page_token of the page before, or nothing");
        }
        requireOfThisStore("page_token", token.storeId(), token.storedUpTo(), store);
        if (token.queryFingerprint() != query.fingerprint()) {
            throw invalid("page_token", "it belongs to another filter; a list keeps its filter from page to page");
        }
        return token;
    }

    static ResumeToken start(WatchEventsRequest request, EventStore store) throws SQLException {
        return switch (request.getStartCase()) {
            case RESUME_TOKEN -> resumeToken(request.getResumeToken(), store);
            case FROM_TIME -> fromTime(request.getFromTime(), store);
            case START_NOT_SET -> ResumeToken.after(store.id(), store.lastRowId());
        };
    }

    static ResumeToken start(WatchExitsRequest request, EventStore store) throws SQLException {
        return switch (request.getStartCase()) {
            case RESUME_TOKEN -> resumeToken(request.getResumeToken(), store);
            case FROM_TIME -> fromTime(request.getFromTime(), store);
            case START_NOT_SET -> ResumeToken.after(store.id(), store.lastRowId());
        };
    }

    // Before the events of every kind: the token is good for each of them.
    private static ResumeToken fromTime(Timestamp time, EventStore store) throws SQLException {
        requireValid("from_time", time);
        long sinceNanos = EpochNanos.of(time);
        long historyEndRowId = store.lastRowId();
        long start = Math.min(store.rowBefore(sinceNanos), historyEndRowId);
        return new ResumeToken(store.id(), start, historyEndRowId, sinceNanos).movedTo(start);
    }

    /** Returns the time between heartbeats, nanoseconds. */
    static long heartbeatNanos(boolean given, Duration interval) {
        if (!given) {
            return DEFAULT_HEARTBEAT_NANOS;
        }
        long nanos = nanos(interval);
        if (nanos < MIN_HEARTBEAT_NANOS || nanos > MAX_HEARTBEAT_NANOS) {
            throw invalid("heartbeat_interval", "it must be 100 ms to 10 min");
        }
        return nanos;
    }

    static SummaryQuery summary(SummarizeEventsRequest request) {
        return summary(query(request.getFilter()), request);
    }

    static SummaryQuery summary(SummarizeExitsRequest request) {
        SummarizeEventsRequest.Builder same = SummarizeEventsRequest.newBuilder()
                .addAllByValue(request.getByValueList())
                .addAllByLabels(request.getByLabelsList())
                .setMaxGroups(request.getMaxGroups());
        if (request.hasBucket()) {
            same.setBucket(request.getBucket());
        }
        return summary(query(request.getFilter()), same.build());
    }

    /** @param request how to count; its filter is not used */
    private static SummaryQuery summary(EventQuery<?> query, SummarizeEventsRequest request) {
        List<Dimension> by = request.getByList();
        List<String> labels = request.getByLabelsList();
        if (by.contains(Dimension.UNRECOGNIZED) || by.contains(Dimension.DIMENSION_UNSPECIFIED)) {
            throw invalid("by", "it holds a number that is no dimension");
        }
        for (Dimension dimension : by) {
            if (!query.kind().dimensions().contains(dimension)) {
                throw invalid("by", "these events have no " + dimension);
            }
        }
        if (Set.copyOf(by).size() < by.size() || Set.copyOf(labels).size() < labels.size()) {
            throw invalid("by", "one is named twice, here or in by_labels");
        }
        if (by.size() + labels.size() > MAX_KEYS) {
            throw invalid("by", "with by_labels it names more than " + MAX_KEYS);
        }
        for (String label : labels) {
            if (!LABEL.matcher(label).matches()) {
                throw invalid("by_labels", "'" + label + "' is not a label's name, such as app.kubernetes.io/name");
            }
        }
        return new SummaryQuery(query, by, labels, bucketNanos(request), atMost("max_groups", request.getMaxGroups()));
    }

    private static long bucketNanos(SummarizeEventsRequest request) {
        if (!request.hasBucket()) {
            return 0;
        }
        long nanos = nanos(request.getBucket());
        if (nanos < MIN_BUCKET_NANOS || nanos > MAX_BUCKET_NANOS) {
            throw invalid("bucket", "it must be 1 s to 3650 days");
        }
        return nanos;
    }

    /** Converts to nanoseconds; a duration that does not fit becomes the maximum. */
    private static long nanos(Duration duration) {
        long nanos = TimeUnit.SECONDS.toNanos(duration.getSeconds());
        return nanos == Long.MAX_VALUE ? nanos : nanos + duration.getNanos();
    }

    static StatusRuntimeException invalid(String field, String rule) {
        return Status.INVALID_ARGUMENT.withDescription(field + ": " + rule).asRuntimeException();
    }

    /** Ends a watch that asks for removed rows; the client can continue with the oldest token. */
    static StatusRuntimeException removed(ResumeToken oldest) {
        Metadata trailers = new Metadata();
        trailers.put(OomEventsService.OLDEST_RESUME_TOKEN, oldest.encode());
        return Status.OUT_OF_RANGE
                .withDescription(
                        "resume_token: events after it were removed before they were read here (retention); the oldest token "
                                + "that is left is " + oldest.encode())
                .asRuntimeException(trailers);
    }

    private static ResumeToken resumeToken(String text, EventStore store) {
        ResumeToken token;
        try {
            token = ResumeToken.decode(text);
        } catch (IllegalArgumentException e) {
            throw invalid(
                    "resume_token",
                    "it is not a resume token; give one of a watch's response, or start at a from_time");
        }
        requireOfThisStore("resume_token", token.storeId(), token.highestRowId(), store);
        return token;
    }

    private static void requireOfThisStore(String field, UUID storeId, long rowId, EventStore store) {
        if (!storeId.equals(store.id()) || rowId > store.lastRowId()) {
            throw Status.OUT_OF_RANGE
                    .withDescription(
                            field + ": it is of another store, or of one since restored; start again without it")
                    .asRuntimeException();
        }
    }

    private static void requireValid(String field, Timestamp time) {
        if (!Timestamps.isValid(time)) {
            throw invalid(field, "it is not a valid timestamp");
        }
    }
}
