package dev.exit137.aggregator.store;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** A SELECT whose conditions are known only at run time; every value is bound, none is spelled out. */
final class Select {
  private final StringBuilder sql;
  private final List<Object> values = new ArrayList<>();

  /** Begins with SQL that ends in a complete WHERE clause, and its values. */
  Select(String sql, Object... values) {
    this.sql = new StringBuilder(sql);
    this.values.addAll(List.of(values));
  }

  /** Adds a condition. */
  void and(String condition, Object... conditionValues) {
    sql.append(" AND ").append(condition);
    values.addAll(List.of(conditionValues));
  }

  /** Adds what follows the conditions. */
  Select then(String clause) {
    sql.append(' ').append(clause);
    return this;
  }

  /** Prepares and binds it; the caller closes it. */
  PreparedStatement prepare(Connection connection) throws SQLException {
    PreparedStatement prepared = connection.prepareStatement(sql.toString());
    for (int i = 0; i < values.size(); i++) {
      prepared.setObject(i + 1, values.get(i));
    }
    return prepared;
  }

  @Override
  public String toString() {
    return sql.toString();
  }
}
