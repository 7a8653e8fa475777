package dev.exit137.aggregator.store;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.exit137.proto.v1.OomKillEvent;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The SQLite file: its settings, its tables, its version. */
final class StoreSchema {
  private static final Logger LOG = LoggerFactory.getLogger(StoreSchema.class);

  /** PRAGMA user_version of a file that this version of the program writes. */
  static final int VERSION = 3;

  // Some seconds' reading.
  private static final long MAX_CHECKED_BYTES = 4L << 30;

  private static final int MAX_IDLE_LOG_BYTES = 4 << 20;

  private static final String[] VERSION_1 = {
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

  private static final String[] VERSION_2 = {
    // The highest row that retention has removed.
    "ALTER TABLE meta ADD COLUMN removed_up_to INTEGER NOT NULL DEFAULT 0",
    // KnownIds: the row is the event's, or was, so that the oldest are the lowest here, too.
    "CREATE TABLE known_id (row_id INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, revision INTEGER NOT NULL)",
    // Rows up to this one were stored at this time or before, seconds since 1970. A few of these tell the age of all.
    "CREATE TABLE stored_by (row_id INTEGER PRIMARY KEY, epoch_seconds INTEGER NOT NULL)",
  };

  private static final String[] VERSION_3 = {
    "ALTER TABLE event ADD COLUMN outcome INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE event ADD COLUMN incident TEXT",
    "ALTER TABLE event ADD COLUMN recovered INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE event ADD COLUMN limit_owner INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE event ADD COLUMN unit TEXT",
    "ALTER TABLE event ADD COLUMN labels TEXT",
    // With all that a summary reads, so that it need not go to the rows, whose last columns lie behind the body.
    "DROP INDEX event_by_time",
    """
    CREATE INDEX event_by_time ON event (time_nanos, node, scope, namespace, pod_name, container_name,
      outcome, incident, recovered, limit_owner, unit, labels)""",
  };

  private StoreSchema() {}

  /** Opens a connection for reading; the file must be there. */
  static Connection openReader(Path file) throws SQLException {
    Connection connection = connect(file);
    run(connection, "PRAGMA query_only = ON");
    return connection;
  }

  /**
   * Opens the connection that writes, creates the tables of a new file, and changes those of an older one.
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
      // In KiB if negative: the inner pages of all indexes, which are written at random, stay in memory in a storm.
      run(connection, "PRAGMA cache_size = -16384");
      // What the log has grown to in a storm goes back to the disk.
      run(connection, "PRAGMA journal_size_limit = " + MAX_IDLE_LOG_BYTES);
      long version = number(connection, "PRAGMA user_version");
      if (version > VERSION) {
        throw new IOException(
            "%s was written by a newer exit137 (schema version %d, this one knows %d); run that one, or give another "
                    .formatted(file, version, VERSION)
                + "--data-dir");
      }
      check(connection, file);
      if (version < VERSION) {
        Transaction.write(connection, () -> upgrade(connection, version));
      }
      return connection;
    } catch (SQLException | IOException e) {
      connection.close();
      throw e;
    }
  }

  /** What is acknowledged shall not go into a file that cannot give it back. */
  private static void check(Connection connection, Path file) throws SQLException {
    if (number(connection, "PRAGMA page_count") * number(connection, "PRAGMA page_size") > MAX_CHECKED_BYTES) {
      LOG.warn("{} is too large to be checked for damage at every start", file);
      return;
    }
    String finding = text(connection, "PRAGMA quick_check(1)");
    if (!finding.equals("ok")) {
      throw new SQLException("it is damaged: " + finding.replace('\n', ' '));
    }
  }

  /** The highest row id ever given, rows that are gone included. */
  static long lastRowId(Connection connection) throws SQLException {
    return number(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'event'");
  }

  /** Events that are there. */
  static long rows(Connection connection) throws SQLException {
    return number(connection, "SELECT count(*) FROM event");
  }

  /** The highest row id that retention has removed; 0 when it has removed nothing. */
  static long removedUpTo(Connection connection) throws SQLException {
    return number(connection, "SELECT removed_up_to FROM meta");
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
    return UUID.fromString(text(connection, "SELECT store_id FROM meta"));
  }

  private static String text(Connection connection, String query) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(query)) {
      return rows.getString(1);
    }
  }

  private static Void upgrade(Connection connection, long fromVersion) throws SQLException {
    if (fromVersion < 1) {
      run(connection, VERSION_1);
      run(connection, "INSERT INTO meta (store_id) VALUES ('" + UUID.randomUUID() + "')");
    }
    if (fromVersion < 2) {
      run(connection, VERSION_2);
      remember(connection);
    }
    run(connection, VERSION_3);
    fillSummaryColumns(connection);
    run(connection, "PRAGMA user_version = " + VERSION);
    return null;
  }

  /** Makes the ids of all events known. */
  private static void remember(Connection connection) throws SQLException {
    KnownIds known = new KnownIds(connection);
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SELECT event_id, node, row_id, revision FROM event ORDER BY row_id")) {
      while (rows.next()) {
        known.put(known.hash(rows.getString(1), rows.getString(2)), rows.getLong(3), rows.getLong(4));
        known.flush();
      }
    }
  }

  private static void fillSummaryColumns(Connection connection) throws SQLException {
    String sql =
        """
        UPDATE event SET outcome = ?, incident = ?, recovered = ?, limit_owner = ?, unit = ?, labels = ?
        WHERE row_id = ?""";
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SELECT row_id, body FROM event");
        PreparedStatement update = connection.prepareStatement(sql)) {
      while (rows.next()) {
        try {
          SummaryColumns.bind(update, 1, OomKillEvent.parseFrom(rows.getBytes(2)));
          update.setLong(SummaryColumns.COUNT + 1, rows.getLong(1));
          update.executeUpdate();
        } catch (InvalidProtocolBufferException damaged) {
          // Whoever reads the event is told; the others are still there.
        }
      }
    }
  }

  private static Connection connect(Path file) throws SQLException {
    Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file);
    run(connection, "PRAGMA busy_timeout = 5000");
    return connection;
  }

  private static void run(Connection connection, String... statements) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      for (String sql : statements) {
        statement.execute(sql);
      }
    }
  }
}
