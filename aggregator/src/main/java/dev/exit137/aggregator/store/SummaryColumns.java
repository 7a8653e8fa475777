package dev.exit137.aggregator.store;

import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.Collections;

/** The columns behind the body, which only summaries and filters read, and their values from an event. */
final class SummaryColumns {
    /** Their names, for SQL, in the order of {@link #bind}. */
    static final String NAMES = "killed, incident, recovered, limit_owner, unit, labels, kind, cause, exit_code";

    static final int COUNT = 9;

    /** As many parameters. */
    static final String PARAMETERS = String.join(", ", Collections.nCopies(COUNT, "?"));

    private SummaryColumns() {}

    static void bind(PreparedStatement statement, int firstIndex, EventFacts event) throws SQLException {
        int index = firstIndex;
        statement.setBoolean(index++, event.killed());
        statement.setString(index++, event.incident());
        statement.setBoolean(index++, event.recovered());
        statement.setInt(index++, event.limitOwner());
        statement.setString(index++, event.unit().isEmpty() ? null : event.unit());
        statement.setString(index++, event.labels());
        statement.setInt(index++, event.kind().number());
        statement.setObject(index++, event.cause());
        statement.setObject(index, event.exitCode());
    }
}
