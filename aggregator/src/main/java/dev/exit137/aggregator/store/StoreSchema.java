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
    static final int VERSION = 4;

    // A check of this size takes some seconds.
    private static final long MAX_CHECKED_BYTES = 4L << 30;

    private static final int MAX_IDLE_LOG_BYTES = 4 << 20;

    private static final String[] VERSION_1 = {
        "CREATE TABLE meta (store_id TEXT NOT NULL)",
        // Unknown values are NULL. The body is the last column, so that SQLite can read the others without it.
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
        // This order serves both the uniqueness and a search by id alone.
        "CREATE UNIQUE INDEX event_by_id ON event (event_id, node)",
        // SQLite ends every index entry with the row id, so these indexes also return a filter's rows in the store's
        // order.
        // There is no index by scope: nearly all events have the same scope.
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
        // KnownIds: the row is the event's current or removed row, so the oldest ids have the lowest rows here, too.
        "CREATE TABLE known_id (row_id INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, revision INTEGER NOT NULL)",
        // Rows up to this one were stored at this time or before, seconds since 1970. A few such entries give the age
        // of
        // all rows.
        "CREATE TABLE stored_by (row_id INTEGER PRIMARY KEY, epoch_seconds INTEGER NOT NULL)",
    };

    private static final String[] VERSION_3 = {
        "ALTER TABLE event ADD COLUMN outcome INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE event ADD COLUMN incident TEXT",
        "ALTER TABLE event ADD COLUMN recovered INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE event ADD COLUMN limit_owner INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE event ADD COLUMN unit TEXT",
        "ALTER TABLE event ADD COLUMN labels TEXT",
        // Contains all columns that a summary reads, so that SQLite need not read the rows: their last columns are
        // behind
        // the body.
        "DROP INDEX event_by_time",
        """
    CREATE INDEX event_by_time ON event (time_nanos, node, scope, namespace, pod_name, container_name,
      outcome, incident, recovered, limit_owner, unit, labels)""",
    };

    // There are other kinds of events than kills: EventKind. Each index by a name has the kind as its second column, so
    // that a search for one kind does not read the events of another. The unit, the cause and the exit code are often
    // NULL:
    // such a row is not in their index.
    private static final String[] VERSION_4 = {
        "DROP INDEX event_by_id",
        "DROP INDEX event_by_node",
        "DROP INDEX event_by_time",
        "DROP INDEX event_by_namespace",
        "DROP INDEX event_by_pod_name",
        "DROP INDEX event_by_pod_uid",
        "DROP INDEX event_by_container_name",
        "DROP INDEX event_by_container_id",
        // Of the outcome, only this was of use: 1 is KILLED.
        "ALTER TABLE event RENAME COLUMN outcome TO killed",
        "UPDATE event SET killed = 0 WHERE killed > 1",
        "ALTER TABLE event ADD COLUMN kind INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE event ADD COLUMN cause INTEGER",
        "ALTER TABLE event ADD COLUMN exit_code INTEGER",
        // The highest row up to which what events tell of persons is removed.
        "ALTER TABLE meta ADD COLUMN senders_removed_up_to INTEGER NOT NULL DEFAULT 0",
        "CREATE UNIQUE INDEX event_by_id ON event (event_id, node, kind)",
        "CREATE INDEX event_by_kind ON event (kind)",
        "CREATE INDEX event_by_node ON event (node, kind)",
        "CREATE INDEX event_by_namespace ON event (namespace, kind)",
        "CREATE INDEX event_by_pod_name ON event (pod_name, kind)",
        "CREATE INDEX event_by_pod_uid ON event (pod_uid, kind)",
        "CREATE INDEX event_by_container_name ON event (container_name, kind)",
        "CREATE INDEX event_by_container_id ON event (container_id, kind)",
        "CREATE INDEX event_by_unit ON event (unit, kind) WHERE unit IS NOT NULL",
        "CREATE INDEX event_by_cause ON event (cause) WHERE cause IS NOT NULL",
        "CREATE INDEX event_by_exit_code ON event (exit_code) WHERE exit_code IS NOT NULL",
        """
    CREATE INDEX event_by_time ON event (kind, time_nanos, node, scope, namespace, pod_name, container_name,
      killed, incident, recovered, limit_owner, unit, labels, cause, exit_code)""",
    };

    private StoreSchema() {}

    /** Opens a connection for reading; the file must exist. */
    static Connection openReader(Path file) throws SQLException {
        Connection connection = connect(file);
        run(connection, "PRAGMA query_only = ON");
        return connection;
    }

    /**
     * Opens the connection that writes, creates the tables of a new file, and upgrades an older file.
     *
     * @throws IOException if a newer version of the program wrote the file
     */
    static Connection openWriter(Path file) throws SQLException, IOException {
        Connection connection = connect(file);
        try {
            // Only a file without tables accepts this setting, and WAL mode already writes the first page: so it comes
            // first.
            run(connection, "PRAGMA auto_vacuum = INCREMENTAL");
            run(connection, "PRAGMA journal_mode = WAL");
            // An acknowledged event must survive a power cut; WAL's default, NORMAL, keeps only the file consistent.
            run(connection, "PRAGMA synchronous = FULL");
            // A negative number is in KiB. The inner pages of all indexes, which are written at random, stay in memory
            // in a
            // storm.
            run(connection, "PRAGMA cache_size = -16384");
            // What was removed from a page is overwritten when the page is written: no expired login is left behind.
            run(connection, "PRAGMA secure_delete = FAST");
            // After a storm the log shrinks to this size.
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

    /** Checks for damage, so that no event is acknowledged into a file that cannot be read back. */
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

    /** Returns the highest row id ever assigned, removed rows included. */
    static long lastRowId(Connection connection) throws SQLException {
        return number(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'event'");
    }

    /** Returns the number of stored events. */
    static long rows(Connection connection) throws SQLException {
        return number(connection, "SELECT count(*) FROM event");
    }

    /** Returns the highest row id that retention has removed; 0 if it has removed none. */
    static long removedUpTo(Connection connection) throws SQLException {
        return number(connection, "SELECT removed_up_to FROM meta");
    }

    /** Returns the highest row up to which the personal fields of senders are removed. */
    static long sendersRemovedUpTo(Connection connection) throws SQLException {
        return number(connection, "SELECT senders_removed_up_to FROM meta");
    }

    /** Returns the number in a query's result; 0 if the result is empty. */
    private static long number(Connection connection, String query) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(query)) {
            return rows.next() ? rows.getLong(1) : 0;
        }
    }

    /** Returns the store's own id, assigned at its creation. */
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
        if (fromVersion < 3) {
            run(connection, VERSION_3);
        }
        run(connection, VERSION_4);
        if (fromVersion < 3) {
            fillSummaryColumns(connection);
        }
        run(connection, "PRAGMA user_version = " + VERSION);
        return null;
    }

    /** Adds the ids of all stored events to the known ids; before version 4 all are kills. */
    private static void remember(Connection connection) throws SQLException {
        KnownIds known = new KnownIds(connection);
        try (Statement statement = connection.createStatement();
                ResultSet rows =
                        statement.executeQuery("SELECT event_id, node, row_id, revision FROM event ORDER BY row_id")) {
            while (rows.next()) {
                known.put(
                        known.hash(EventKind.OOM, rows.getString(1), rows.getString(2)),
                        rows.getLong(3),
                        rows.getLong(4));
                known.flush();
            }
        }
    }

    private static void fillSummaryColumns(Connection connection) throws SQLException {
        String sql = "UPDATE event SET (" + SummaryColumns.NAMES + ") = (" + SummaryColumns.PARAMETERS
                + ") WHERE row_id = ?";
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT row_id, body FROM event");
                PreparedStatement update = connection.prepareStatement(sql)) {
            while (rows.next()) {
                try {
                    SummaryColumns.bind(update, 1, EventFacts.of(OomKillEvent.parseFrom(rows.getBytes(2))));
                    update.setLong(SummaryColumns.COUNT + 1, rows.getLong(1));
                    update.executeUpdate();
                } catch (InvalidProtocolBufferException damaged) {
                    // A query of this event reports the damage; the other events are still readable.
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
