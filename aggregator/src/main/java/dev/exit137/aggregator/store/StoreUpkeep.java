package dev.exit137.aggregator.store;

import com.google.protobuf.InvalidProtocolBufferException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Keeps the store within its {@link Retention}, in small steps, so that no write waits long for one. Used by the
 * store's writer thread alone, except for the counts of removed rows.
 */
final class StoreUpkeep {
    // Bounds of one step.
    private static final int EVENTS_PER_STEP = 500;
    private static final long EVENT_BYTES_PER_STEP = 4 << 20;
    private static final int IDS_PER_STEP = 1000;
    private static final int PAGES_PER_STEP = 1000;

    private final Connection connection;
    private final Retention retention;
    private final InstantSource clock;
    private final NodeLosses losses;
    private final long pageBytes;
    private final AtomicLong removedByAge = new AtomicLong();
    private final AtomicLong removedBySize = new AtomicLong();
    private volatile long removedUpTo;
    private volatile long expiredSendersUpTo;
    private long sendersRemovedUpTo;
    private long expiredUpTo;
    private long forgettableUpTo;

    StoreUpkeep(Connection connection, Retention retention, InstantSource clock, NodeLosses losses)
            throws SQLException {
        this.connection = connection;
        this.retention = retention;
        this.clock = clock;
        this.losses = losses;
        pageBytes = number("PRAGMA page_size");
        removedUpTo = StoreSchema.removedUpTo(connection);
        sendersRemovedUpTo = StoreSchema.sendersRemovedUpTo(connection);
        expiredSendersUpTo = sendersRemovedUpTo;
    }

    /** Whether the personal fields of the sender of an event have expired; for any thread. */
    boolean hasExpiredSender(long rowId) {
        return rowId <= expiredSendersUpTo || !retention.keepsSenders();
    }

    /** The highest row that was ever removed; for any thread. */
    long removedUpTo() {
        return removedUpTo;
    }

    /** Returns how many events were removed since the store was opened; for any thread. */
    RemovedEvents removed() {
        return new RemovedEvents(removedByAge.get(), removedBySize.get());
    }

    /** Writes to the disk without a change, to test whether it works. */
    void tryWriting() throws SQLException {
        run("UPDATE meta SET removed_up_to = removed_up_to");
    }

    /** Records the time, and finds the rows that have expired by now. */
    void begin(long lastRowId) throws SQLException {
        long nowSeconds = clock.instant().getEpochSecond();
        run("INSERT OR IGNORE INTO stored_by VALUES (?, ?)", lastRowId, nowSeconds);
        expiredUpTo = lastRowOlderThan(retention.maxAge(), nowSeconds);
        long expiredSenders =
                retention.keepsSenders() ? lastRowOlderThan(retention.senderAge(), nowSeconds) : lastRowId;
        // Never back: it may also be what was removed under a shorter retention.
        expiredSendersUpTo = Math.max(expiredSendersUpTo, expiredSenders);
        long tooMany = lastRowId - Math.min(lastRowId, retention.maxIds());
        forgettableUpTo = Math.max(lastRowOlderThan(retention.idAge(), nowSeconds), tooMany);
        forgetNodes(nowSeconds);
    }

    /** Removes the expired nodes and their losses; their events stay. */
    private void forgetNodes(long nowSeconds) throws SQLException {
        Duration age = retention.nodeAge();
        if (age.toSeconds() > nowSeconds) {
            return;
        }
        losses.begin();
        long oldest = TimeUnit.SECONDS.toNanos(nowSeconds - age.toSeconds());
        Select forget = new Select("DELETE FROM node WHERE last_seen_nanos < ? RETURNING status", oldest);
        try (PreparedStatement statement = forget.prepare(connection);
                ResultSet forgotten = statement.executeQuery()) {
            while (forgotten.next()) {
                losses.remove(forgotten.getBytes(1));
            }
        }
        losses.committed();
    }

    /** Does a part of the work; false if none is left. */
    boolean step() throws SQLException {
        return removeExpired() || removeExcess() > 0 || removeSenders() || forgetIds() || shrink();
    }

    /** Removes the excess, up to the written bytes: then writes do not outrun the steps. */
    void makeRoom(long writtenBytes) throws SQLException {
        long removed = 0;
        long more = 1;
        while (more > 0 && removed < writtenBytes) {
            more = removeExcess();
            removed += more;
        }
    }

    /** Truncates the log. Waits some seconds at most for readers. */
    void emptyLog() throws SQLException {
        number("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /** Whether the file holds more than its maximum. */
    private boolean overfull() throws SQLException {
        return (number("PRAGMA page_count") - number("PRAGMA freelist_count")) * pageBytes > retention.maxBytes();
    }

    private boolean removeExpired() throws SQLException {
        return expiredUpTo > removedUpTo && removeOldest(expiredUpTo, removedByAge) > 0;
    }

    private long removeExcess() throws SQLException {
        return overfull() ? removeOldest(Long.MAX_VALUE, removedBySize) : 0;
    }

    /** Removes some of the oldest events; returns about how many bytes they took. */
    private long removeOldest(long upToRowId, AtomicLong counter) throws SQLException {
        long lastRow = 0;
        long bytes = 0;
        int events = 0;
        // SQLite knows the length from the row's header: it does not read the body for it.
        Select oldest =
                new Select("SELECT row_id, length(body) FROM event WHERE row_id <= ? ORDER BY row_id", upToRowId);
        try (PreparedStatement statement = oldest.prepare(connection);
                ResultSet rows = statement.executeQuery()) {
            while (events < EVENTS_PER_STEP && bytes < EVENT_BYTES_PER_STEP && rows.next()) {
                lastRow = rows.getLong(1);
                bytes += rows.getLong(2);
                events++;
            }
        }
        if (events == 0) {
            return 0;
        }
        long removed = lastRow;
        Transaction.write(
                connection,
                () -> run("DELETE FROM event WHERE row_id <= ?", removed)
                        + run("UPDATE meta SET removed_up_to = ?", removed));
        removedUpTo = removed;
        counter.addAndGet(events);
        return bytes;
    }

    /** Removes the personal fields of some expired senders from the stored events, which keep their rows. */
    private boolean removeSenders() throws SQLException {
        long upTo = expiredSendersUpTo;
        if (sendersRemovedUpTo >= upTo) {
            return false;
        }
        long doneUpTo = upTo;
        long bytes = 0;
        Map<Long, byte[]> without = new LinkedHashMap<>();
        Select some = new Select(
                "SELECT row_id, body FROM event WHERE kind = ? AND row_id > ? AND row_id <= ? ORDER BY row_id LIMIT ?",
                EventKind.EXIT.number(),
                sendersRemovedUpTo,
                upTo,
                EVENTS_PER_STEP);
        try (PreparedStatement statement = some.prepare(connection);
                ResultSet rows = statement.executeQuery()) {
            int events = 0;
            while (bytes < EVENT_BYTES_PER_STEP && rows.next()) {
                byte[] body = rows.getBytes(2);
                bytes += body.length;
                events++;
                if (events == EVENTS_PER_STEP || bytes >= EVENT_BYTES_PER_STEP) {
                    doneUpTo = rows.getLong(1);
                }
                try {
                    byte[] rest = EventKind.EXIT.withoutExpired(body);
                    if (!Arrays.equals(rest, body)) {
                        without.put(rows.getLong(1), rest);
                    }
                } catch (InvalidProtocolBufferException damaged) {
                    // A query of this event reports the damage.
                }
            }
        }
        long done = doneUpTo;
        Transaction.write(connection, () -> {
            for (Map.Entry<Long, byte[]> row : without.entrySet()) {
                run("UPDATE event SET body = ? WHERE row_id = ?", row.getValue(), row.getKey());
            }
            return run("UPDATE meta SET senders_removed_up_to = ?", done);
        });
        sendersRemovedUpTo = done;
        return true;
    }

    /** Removes some expired ids, but never the id of a stored event. */
    private boolean forgetIds() throws SQLException {
        long upTo = Math.min(forgettableUpTo, removedUpTo);
        long some = number(
                "SELECT max(row_id) FROM (SELECT row_id FROM known_id WHERE row_id <= ? ORDER BY row_id LIMIT ?)",
                upTo,
                IDS_PER_STEP);
        if (some == 0) {
            return false;
        }
        return Transaction.write(
                        connection,
                        () -> run("DELETE FROM known_id WHERE row_id <= ?", some)
                                + run("DELETE FROM stored_by WHERE row_id <= ?", some))
                > 0;
    }

    /** Returns some of the free pages to the disk. */
    private boolean shrink() throws SQLException {
        long free = number("PRAGMA freelist_count");
        if (free > 0) {
            try (Statement vacuum = connection.createStatement()) {
                // executeQuery would free one page for each row read; executeUpdate runs to the end.
                vacuum.executeUpdate("PRAGMA incremental_vacuum(" + PAGES_PER_STEP + ")");
            }
            // A file that another program made, such as a repaired copy, may not be able to shrink.
            if (number("PRAGMA freelist_count") < free) {
                return true;
            }
        }
        // Only the checkpoint makes the file shorter.
        number("PRAGMA wal_checkpoint(PASSIVE)");
        return false;
    }

    /** Returns the last row that is known to be older than the age; 0 if there is none. */
    private long lastRowOlderThan(Duration age, long nowSeconds) throws SQLException {
        return age.toSeconds() > nowSeconds
                ? 0
                : number("SELECT max(row_id) FROM stored_by WHERE epoch_seconds < ?", nowSeconds - age.toSeconds());
    }

    private int run(String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = new Select(sql, values).prepare(connection)) {
            return statement.executeUpdate();
        }
    }

    private long number(String query, Object... values) throws SQLException {
        try (PreparedStatement statement = new Select(query, values).prepare(connection);
                ResultSet rows = statement.executeQuery()) {
            return rows.next() ? rows.getLong(1) : 0;
        }
    }
}
