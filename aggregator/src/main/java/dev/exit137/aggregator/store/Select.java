package dev.exit137.aggregator.store;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** A SELECT with conditions that are known only at run time. Every value is bound; the SQL contains none. */
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

    /** Adds the SQL after the conditions. */
    Select then(String clause) {
        sql.append(' ').append(clause);
        return this;
    }

    /** Prepares and binds the statement; the caller closes it. */
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
