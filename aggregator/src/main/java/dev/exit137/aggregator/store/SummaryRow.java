package dev.exit137.aggregator.store;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The counts of a group of events. Times are nanoseconds since 1970.
 *
 * @param rank 0 for all, 1 for the group with most kills, one more than the most groups for all others
 * @param inSpan only those in one span of time
 * @param spanNanos when that span begins; null for the events whose time is not known
 * @param groups how many groups there are
 * @param kills processes killed by SIGKILL
 * @param ooms distinct OOMs
 * @param events all events
 * @param recovered recovered ones of these
 * @param firstNanos time of the earliest; null when none is known
 * @param lastNanos time of the latest; null when none is known
 * @param key what the events have in common, in the query's order, unknown values being empty; only of a group
 */
public record SummaryRow(
        int rank,
        boolean inSpan,
        @Nullable Long spanNanos,
        long groups,
        long kills,
        long ooms,
        long events,
        long recovered,
        @Nullable Long firstNanos,
        @Nullable Long lastNanos,
        List<String> key) {
    private static final int COLUMNS_BEFORE_KEY = 10;

    static SummaryRow of(ResultSet row, SummaryQuery query) throws SQLException {
        int rank = row.getInt("shown");
        List<String> key = new ArrayList<>();
        if (rank > 0 && rank <= query.maxGroups()) {
            for (int i = 1; i <= query.keys(); i++) {
                key.add(row.getString(COLUMNS_BEFORE_KEY + i));
            }
        }
        return new SummaryRow(
                rank,
                row.getBoolean("in_span"),
                nanos(row, "bucket"),
                row.getLong("groups"),
                row.getLong("kills"),
                row.getLong("ooms"),
                row.getLong("events"),
                row.getLong("recovered"),
                nanos(row, "first_nanos"),
                nanos(row, "last_nanos"),
                key);
    }

    private static @Nullable Long nanos(ResultSet row, String column) throws SQLException {
        long value = row.getLong(column);
        return row.wasNull() ? null : value;
    }
}
