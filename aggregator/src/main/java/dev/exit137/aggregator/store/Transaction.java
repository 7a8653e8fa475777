package dev.exit137.aggregator.store;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;

/**
 * Explicit transactions on a connection in auto-commit mode. The driver's own transactions break on a full disk: SQLite
 * has rolled back by itself by then, so the driver's rollback fails and begins no new transaction, and every later
 * commit fails.
 */
final class Transaction {
    private Transaction() {}

    /** The work of one transaction. */
    interface Work<T, E extends Exception> {
        T run() throws SQLException, E;
    }

    /** Runs the work, commits, and returns its result; rolls back if the work or the commit fails. */
    static <T, E extends Exception> T write(Connection connection, Work<T, E> work) throws SQLException, E {
        return in(connection, "BEGIN IMMEDIATE", work);
    }

    /** All queries of the work read the same snapshot of the store. */
    static <T, E extends Exception> T read(Connection connection, Work<T, E> work) throws SQLException, E {
        return in(connection, "BEGIN", work);
    }

    private static <T, E extends Exception> T in(Connection connection, String begin, Work<T, E> work)
            throws SQLException, E {
        execute(connection, begin);
        try {
            T result = work.run();
            execute(connection, "COMMIT");
            return result;
        } catch (Throwable e) {
            // For every exception: a transaction that stays open would fail every later one of this connection.
            try {
                execute(connection, "ROLLBACK");
            } catch (SQLException rolledBackAlready) {
                e.addSuppressed(rolledBackAlready);
            }
            throw e;
        }
    }

    private static void execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }
}
