package dev.exit137.aggregator.store;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;

/**
 * Transactions, spelled out on a connection that commits by itself. The driver's own lose their way on a full disk:
 * SQLite has rolled back by itself then, so the driver's rollback fails, begins no new one, and so does every commit
 * from then on.
 */
final class Transaction {
  private Transaction() {}

  /** What is done in one transaction. */
  interface Work<T, E extends Exception> {
    T run() throws SQLException, E;
  }

  /** Commits what the work did and returns what it gave; undoes it where it or the commit fails. */
  static <T, E extends Exception> T write(Connection connection, Work<T, E> work) throws SQLException, E {
    return in(connection, "BEGIN IMMEDIATE", work);
  }

  /** All queries of the work see the store as it was at one moment. */
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
      // Whatever it is: a transaction that stays open would fail every later one of this connection.
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
