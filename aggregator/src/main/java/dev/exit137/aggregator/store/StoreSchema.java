package dev.exit137.aggregator.store;

import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.UUID;

/** The SQLite file: its settings, its tables, its version. */
final class StoreSchema {
  /** PRAGMA user_version of a file that this version of the program writes. */
  static final int VERSION = 1;

  private static final String[] TABLES = {
    "CREATE TABLE meta (store_id TEXT NOT NULL)",
    // Unknown values are NULL. The body comes last, so that SQLite need not read through it to reach a column.
    """
    CREATE TABLE event (
      row_id INTEGER PRIMARY KEY AUTOINCREMENT,
      event_id TEXT NOT NULL,
      node TEXT NOT NULL,
      revision INTEGER NOT NULL,
      time_nanos INTEGER,
      scope INTEGER NOT NULL,
      namespace TEXT,
      pod_name TEXT,
      pod_uid TEXT,
      container_name TEXT,
      container_id TEXT,
      body BLOB NOT NULL)""",
    // In this order it serves both the uniqueness and a search for the id alone.
    "CREATE UNIQUE INDEX event_by_id ON event (event_id, node)",
    // SQLite ends every index entry with the row id, so these also give a filter's rows in the store's order. There is
    // none by scope: nearly all events have the same.
    "CREATE INDEX event_by_node ON event (node)",
    "CREATE INDEX event_by_time ON event (time_nanos)",
    "CREATE INDEX event_by_namespace ON event (namespace)",
    "CREATE INDEX event_by_pod_name ON event (pod_name)",
    "CREATE INDEX event_by_pod_uid ON event (pod_uid)",
    "CREATE INDEX event_by_container_name ON event (container_name)",
    "CREATE INDEX event_by_container_id ON event (container_id)",
    """
    CREATE TABLE node (
      name TEXT PRIMARY KEY,
      last_seen_nanos INTEGER NOT NULL,
      status BLOB) WITHOUT ROWID""",
  };

  private StoreSchema() {}

  /** Opens a connection for reading; the file must be there. */
  static Connection openReader(Path file) throws SQLException {
    Connection connection = connect(file);
    run(connection, "PRAGMA query_only = ON");
    return connection;
  }

  /**
   * Opens the connection that writes, and creates the tables of a new file.
   *
   * @throws IOException when the file is of a newer version of the program
   */
  static Connection openWriter(Path file) throws SQLException, IOException {
    Connection connection = connect(file);
    try {
      // Only a file without tables takes this, and WAL mode already writes its first page: so it comes first.
      run(connection, "PRAGMA auto_vacuum = INCREMENTAL");
      run(connection, "PRAGMA journal_mode = WAL");
      // An acknowledged event must survive a power cut; WAL's default, NORMAL, keeps only the file consistent.
      run(connection, "PRAGMA synchronous = FULL");
      long version = number(connection, "PRAGMA user_version");
      if (version > VERSION) {
        throw new IOException(
            "%s was written by a newer exit137 (schema version %d, this one knows %d); run that one, or give another "
                    .formatted(file, version, VERSION)
                + "--data-dir");
      }
      if (version == 0) {
        create(connection);
      }
      return connection;
    } catch (SQLException | IOException e) {
      connection.close();
      throw e;
    }
  }

  /** The highest row id ever given, rows that are gone included. */
  static long lastRowId(Connection connection) throws SQLException {
    return number(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'event'");
  }

  /** The number that a query gives; 0 when it gives no row. */
  private static long number(Connection connection, String query) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(query)) {
      return rows.next() ? rows.getLong(1) : 0;
    }
  }

  /** The store's own id, given when it was made. */
  static UUID storeId(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SELECT store_id FROM meta")) {
      return UUID.fromString(rows.getString(1));
    }
  }

  private static void create(Connection connection) throws SQLException {
    connection.setAutoCommit(false);
    for (String table : TABLES) {
      run(connection, table);
    }
    run(connection, "INSERT INTO meta (store_id) VALUES ('" + UUID.randomUUID() + "')");
    run(connection, "PRAGMA user_version = " + VERSION);
    connection.commit();
    connection.setAutoCommit(true);
  }

  private static Connection connect(Path file) throws SQLException {
    Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file);
    run(connection, "PRAGMA busy_timeout = 5000");
    return connection;
  }

  private static void run(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }
}
