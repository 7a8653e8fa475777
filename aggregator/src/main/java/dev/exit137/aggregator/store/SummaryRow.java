package dev.exit137.aggregator.store;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * Events counted together. Times are nanoseconds since 1970.
 *
 * @param rank 0 for all, 1 for the group with most kills, one more than the most groups for all others
 * @param inSpan only those in one span of time
 * @param spanNanos when that span begins; empty for the events whose time is not known
 * @param groups how many groups there are
 * @param kills processes killed
 * @param ooms distinct incidents
 * @param events all events
 * @param recovered recovered ones of these
 * @param firstNanos time of the earliest; empty when none is known
 * @param lastNanos time of the latest
 * @param key what the events have in common, in the query's order, unknown values being empty; only of a group
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
