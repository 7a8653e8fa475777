package dev.exit137.aggregator.query;

import com.google.protobuf.util.Timestamps;
import dev.exit137.aggregator.store.SummaryQuery;
import dev.exit137.aggregator.store.SummaryRow;
import dev.exit137.proto.v1.EventCounts;
import dev.exit137.proto.v1.EventGroup;
import dev.exit137.proto.v1.GroupKey;
import dev.exit137.proto.v1.SummarizeEventsRequest.Dimension;
import dev.exit137.proto.v1.SummarizeEventsResponse;
import dev.exit137.proto.v1.TimeBucket;
import java.util.Iterator;
import java.util.List;

/** Builds a summary from its rows. */
final class Summaries {
    private static final int MAX_SPANS = 10_000;

    /** Room for those spans, and for the largest number of groups that can have them. */
    static final int MAX_ROWS = MAX_SPANS + 1_002;

    private Summaries() {}

    /** Builds the response, without its token. The rows of a group are consecutive, its total first. */
    static SummarizeEventsResponse.Builder response(SummaryQuery query, List<SummaryRow> rows) {
        SummarizeEventsResponse.Builder response = SummarizeEventsResponse.newBuilder();
        for (SummaryRow row : rows) {
            EventGroup.Builder group;
            if (row.rank() == 0) {
                group = response.getTotalBuilder();
            } else if (row.rank() > query.maxGroups()) {
                group = response.setGroupsOmitted(row.groups() - query.maxGroups())
                        .getOthersBuilder();
            } else {
                group = row.inSpan()
                        ? response.getGroupsBuilder(row.rank() - 1)
                        : response.addGroupsBuilder().setKey(key(query, row.key()));
            }
            if (row.inSpan()) {
                group.addBuckets(bucket(row));
            } else {
                group.setCounts(counts(row));
            }
        }
        return response;
    }

    /** Whether there are more spans of time than a response may have. */
    static boolean tooMany(List<SummaryRow> rows) {
        return rows.stream().filter(SummaryRow::inSpan).count() > MAX_SPANS;
    }

    private static TimeBucket bucket(SummaryRow row) {
        TimeBucket.Builder bucket = TimeBucket.newBuilder().setCounts(counts(row));
        if (row.spanNanos() != null) {
            bucket.setStart(Timestamps.fromNanos(row.spanNanos()));
        }
        return bucket.build();
    }

    private static EventCounts counts(SummaryRow row) {
        EventCounts.Builder counts = EventCounts.newBuilder()
                .setKills(row.kills())
                .setOoms(row.ooms())
                .setEvents(row.events())
                .setRecoveredEvents(row.recovered());
        if (row.firstNanos() != null) {
            counts.setFirstTime(Timestamps.fromNanos(row.firstNanos()));
        }
        if (row.lastNanos() != null) {
            counts.setLastTime(Timestamps.fromNanos(row.lastNanos()));
        }
        return counts.build();
    }

    private static GroupKey key(SummaryQuery query, List<String> values) {
        GroupKey.Builder key = GroupKey.newBuilder();
        Iterator<String> value = values.iterator();
        query.by().forEach(dimension -> set(key, dimension, value.next()));
        query.labels().forEach(label -> key.putLabels(label, value.next()));
        return key.build();
    }

    private static void set(GroupKey.Builder key, Dimension dimension, String value) {
        switch (dimension) {
            case NAMESPACE -> key.setNamespace(value);
            case POD -> key.setPod(value);
            case CONTAINER -> key.setContainer(value);
            case NODE -> key.setNode(value);
            case SCOPE -> key.setScopeValue(Integer.parseInt(value));
            case LIMIT_OWNER -> key.setLimitOwnerValue(Integer.parseInt(value));
            case UNIT -> key.setUnit(value);
            case CAUSE -> key.setCauseValue(Integer.parseInt(value));
            case EXIT_CODE -> {
                if (!value.isEmpty()) {
                    key.setExitCode(Integer.parseInt(value));
                }
            }
            case DIMENSION_UNSPECIFIED, UNRECOGNIZED ->
                throw new IllegalArgumentException("no dimension: " + dimension);
        }
    }
}
