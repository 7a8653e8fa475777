package dev.exit137.aggregator.store;

import dev.exit137.proto.v1.SummarizeEventsRequest.Dimension;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * A summary query in the form of the store.
 *
 * @param events which events
 * @param by the fields by which events are grouped
 * @param labels the labels by which events are grouped; names without quotes and backslashes
 * @param bucketNanos length of the spans of time, nanoseconds; 0 for none
 * @param maxGroups maximum number of separate groups
 */
public record SummaryQuery(
        EventQuery<?> events, List<Dimension> by, List<String> labels, long bucketNanos, int maxGroups) {
    private static final String WHOLE = "0 AS in_span, NULL AS bucket";
    private static final String SPAN = "1 AS in_span, bucket";

    /** Copies the mutable lists. */
    public SummaryQuery {
        by = List.copyOf(by);
        labels = List.copyOf(labels);
    }

    /** Returns the number of values in a key. */
    int keys() {
        return by.size() + labels.size();
    }

    /**
     * Selects the counts of all events (rank 0), of each group (rank 1 has most kills) and of all other groups together
     * (maxGroups + 1). With spans of time, it then selects the same counts for each span.
     *
     * @param upToRowId counts the rows up to this one
     */
    Select select(long upToRowId) {
        List<String> columns =
                new ArrayList<>(by.stream().map(SummaryQuery::column).toList());
        columns.addAll(Collections.nCopies(labels.size(), "json_extract(labels, ?)"));
        if (columns.isEmpty()) {
            // Without a key all events are one group, and the total has its counts already.
            columns.add("NULL");
        }
        StringBuilder named = new StringBuilder();
        List<String> names = new ArrayList<>();
        for (String column : columns) {
            String name = "k" + names.size();
            names.add(name);
            named.append("coalesce(")
                    .append(column)
                    .append(", '') AS ")
                    .append(name)
                    .append(", ");
        }
        List<Object> values = new ArrayList<>(
                labels.stream().map(label -> "$.\"" + label + '"').toList());
        values.add(upToRowId);
        // The unary plus keeps SQLite from reading the table itself: the index by time contains all columns.
        Select select = new Select(
                "WITH matched AS NOT MATERIALIZED (SELECT " + named + bucket()
                        + " AS bucket, killed, " + events.kind().oom()
                        + " AS oom, recovered, time_nanos FROM event WHERE +row_id <= ?",
                values.toArray());
        events.restrict(select, true);
        return select.then(ranksAndCounts(String.join(", ", names), columns.size()));
    }

    private String bucket() {
        // SQLite's % has the sign of the time, which is negative before 1970.
        return bucketNanos == 0 ? "NULL" : "time_nanos - (time_nanos %% %1$d + %1$d) %% %1$d".formatted(bucketNanos);
    }

    private String ranksAndCounts(String keys, int count) {
        String noKeys = String.join(", ", Collections.nCopies(count, "NULL"));
        String shown = "min(rank, " + (maxGroups + 1) + ")";
        String ranked = "matched JOIN ranked USING (" + keys + ") GROUP BY shown";
        List<String> parts = new ArrayList<>();
        parts.add(counts("0", WHOLE, noKeys, "matched"));
        if (bucketNanos != 0) {
            parts.add(counts("0", SPAN, noKeys, "matched GROUP BY bucket"));
        }
        if (keys() > 0) {
            parts.add(counts(shown, WHOLE, keys, ranked));
        }
        if (keys() > 0 && bucketNanos != 0) {
            parts.add(counts(shown, SPAN, keys, ranked + ", bucket"));
        }
        return """
        ),
        ranked AS MATERIALIZED (
          SELECT %1$s, row_number() OVER (ORDER BY sum(killed) DESC, count(*) DESC, %1$s) AS rank
          FROM matched GROUP BY %1$s)
        %2$s
        ORDER BY shown, in_span, bucket""".formatted(keys, String.join("\nUNION ALL ", parts));
    }

    private static String counts(String rank, String span, String keys, String from) {
        return """
        SELECT %s AS shown, %s, (SELECT count(*) FROM ranked) AS groups, sum(killed) AS kills,
          count(DISTINCT oom) AS ooms, count(*) AS events, sum(recovered) AS recovered,
          min(time_nanos) AS first_nanos, max(time_nanos) AS last_nanos, %s
        FROM %s""".formatted(rank, span, keys, from);
    }

    private static String column(Dimension dimension) {
        return switch (dimension) {
            case NAMESPACE -> "namespace";
            case POD -> "pod_name";
            case CONTAINER -> "container_name";
            case NODE -> "node";
            case SCOPE -> "scope";
            case LIMIT_OWNER -> "limit_owner";
            case UNIT -> "unit";
            case CAUSE -> "cause";
            case EXIT_CODE -> "exit_code";
            case DIMENSION_UNSPECIFIED, UNRECOGNIZED ->
                throw new IllegalArgumentException("no dimension: " + dimension);
        };
    }
}
