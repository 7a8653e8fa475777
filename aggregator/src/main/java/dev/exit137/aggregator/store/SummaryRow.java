package dev.exit137.aggregator.store;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * The counts of a group of events. Times are nanoseconds since 1970.
 *
 * @param rank 0 for all events, 1 for the group with most kills, maxGroups + 1 for all other groups together
 * @param inSpan whether the counts are those of one span of time
 * @param spanNanos when that span begins; empty for the events of unknown time
 * @param groups the number of groups
 * @param kills processes killed
 * @param ooms distinct incidents
 * @param events all events
 * @param recovered the recovered events among them
 * @param firstNanos time of the earliest; empty if none is known
 * @param lastNanos time of the latest
 * @param key the common values of the group, in the query's order, unknown values being empty; only of a group
 */
public record SummaryRow(
    int rank,
    boolean inSpan,
    OptionalLong spanNanos,
    long groups,
    long kills,
    long ooms,
    long events,
    long recovered,
    OptionalLong firstNanos,
    OptionalLong lastNanos,
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
        optional(row, "bucket"),
        row.getLong("groups"),
        row.getLong("kills"),
        row.getLong("ooms"),
        row.getLong("events"),
        row.getLong("recovered"),
        optional(row, "first_nanos"),
        optional(row, "last_nanos"),
        key);
  }

  private static OptionalLong optional(ResultSet row, String column) throws SQLException {
    long value = row.getLong(column);
    return row.wasNull() ? OptionalLong.empty() : OptionalLong.of(value);
  }
}
