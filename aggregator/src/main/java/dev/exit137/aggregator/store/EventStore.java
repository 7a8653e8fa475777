package dev.exit137.aggregator.store;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.Timestamps;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.Node;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.sqlite.SQLiteJDBCLoader;

/**
 * The events of all nodes, in a SQLite file. All writes go through one queue to one thread, which commits the queued
 * writes in one transaction and acknowledges them only after the commit. Reads run on the caller's thread,
 * concurrently. Row ids follow the order of the commits, so a reader that remembers its last row id misses no event.
 */
public final class EventStore implements AutoCloseable {
    private static final String FILE = "events.db";
    private static final String RESERVE_FILE = "reserve";

    private final DataDirLock lock;
    private final Path file;
    private final StoreCounts counts;
    private final long rowsAtStart;
    private final WriteState state;
    private final NodeLosses losses;
    private final StoreUpkeep upkeep;
    private final WriteQueue queue;
    private final Readers readers;
    private final UUID id;

    private EventStore(
            DataDirLock lock,
            Path file,
            DiskReserve reserve,
            Retention retention,
            InstantSource clock,
            StoreCounts counts,
            Guard guard)
            throws IOException, SQLException {
        this.lock = lock;
        this.file = file;
        this.counts = counts;
        state = new WriteState(guard);
        Connection connection = StoreSchema.openWriter(file);
        try {
            id = StoreSchema.storeId(connection);
            rowsAtStart = StoreSchema.rows(connection);
            losses = new NodeLosses(connection);
            upkeep = new StoreUpkeep(connection, retention, clock, losses);
            readers = new Readers(file, state);
            StoreWriter writer = new StoreWriter(connection, counts, losses, retention.keepsSenders());
            queue = new WriteQueue(writer, upkeep, state, reserve, StoreSchema.lastRowId(connection), guard);
            queue.keepUpEvery(retention.checkInterval());
        } catch (SQLException e) {
            connection.close();
            throw e;
        }
    }

    /**
     * Opens the store, and creates it if it is missing.
     *
     * @param retention how much it keeps
     * @param clock gives the age of events
     * @param guard of this process
     * @param metrics gets the counters of the writes
     * @throws IOException the store cannot be opened; the message is fit for the user
     */
    public static EventStore open(
            Path dataDir, Retention retention, InstantSource clock, Guard guard, PrometheusRegistry metrics)
            throws IOException {
        loadSqlite();
        DataDirLock lock = DataDirLock.acquire(dataDir);
        Path file = dataDir.resolve(FILE);
        DiskReserve reserve = new DiskReserve(dataDir.resolve(RESERVE_FILE));
        try {
            return open(lock, file, reserve, retention, clock, new StoreCounts(metrics, clock, guard), guard);
        } catch (SQLException e) {
            lock.close();
            throw new IOException(
                    "the event store " + file + " cannot be opened: " + e.getMessage()
                            + "; restore it from a copy, save what can be read of it (sqlite3 " + file.getFileName()
                            + " .recover), or move it away to begin with an empty one",
                    e);
        } catch (IOException e) {
            lock.close();
            throw e;
        }
    }

    private static EventStore open(
            DataDirLock lock,
            Path file,
            DiskReserve reserve,
            Retention retention,
            InstantSource clock,
            StoreCounts counts,
            Guard guard)
            throws IOException, SQLException {
        try {
            return new EventStore(lock, file, reserve, retention, clock, counts, guard);
        } catch (SQLException e) {
            // SQLite needs small files of its own even to read; a full disk may have no room for them.
            if (!reserve.release()) {
                throw e;
            }
            return new EventStore(lock, file, reserve, retention, clock, counts, guard);
        }
    }

    /** The native library is unpacked from its jar here: a failure to unpack it later would look like a broken store. */
    private static void loadSqlite() throws IOException {
        try {
            SQLiteJDBCLoader.initialize();
        } catch (Exception e) {
            throw new IOException(
                    "SQLite's native library cannot be loaded: " + e.getMessage()
                            + "; the directory for temporary files, " + System.getProperty("java.io.tmpdir")
                            + ", must be writable and allow programs to run (no noexec)",
                    e);
        }
    }

    /** Returns the id of this store. A store that is created anew has a new id. */
    public UUID id() {
        return id;
    }

    /** The highest row id ever assigned and committed; 0 if there was none. */
    public long lastRowId() {
        return queue.lastRowId();
    }

    /** The highest row id that retention has removed; 0 if it has removed none. */
    public long removedUpTo() {
        return upkeep.removedUpTo();
    }

    /** Returns the number of stored events. */
    public long events() {
        RemovedEvents removed = removed();
        return rowsAtStart + counts.addedRows() - removed.byAge() - removed.bySize();
    }

    /** Returns the size of its files on the disk, bytes. */
    public long bytes() {
        return Stream.of("", "-wal", "-shm")
                .map(suffix -> file.resolveSibling(FILE + suffix).toFile())
                .mapToLong(File::length)
                .sum();
    }

    /**
     * Returns the losses of the listed nodes, as their agents last reported them: the sum of each kind. Reads no file.
     */
    public Map<String, Long> nodeLosses() {
        return losses.sums();
    }

    /** Why nothing can be stored; empty while the store can write. Does not block. */
    public Optional<String> writeFailure() {
        return state.failure();
    }

    /** Returns the thread that writes, for a heartbeat. */
    public Executor writerThread() {
        return queue.thread;
    }

    /** Returns how many events retention has removed since the store was opened. */
    public RemovedEvents removed() {
        return upkeep.removed();
    }

    /**
     * Sets the one listener that runs after every commit, on the writer's thread. It must not block. Call before any
     * write.
     */
    public void onCommit(Runnable listener) {
        queue.onCommit(listener);
    }

    /**
     * Sets the one listener of write failures. It gets the state at once and at every change: why nothing can be stored;
     * empty while the store can write. During a failure, writes fail with that reason, and reads continue where they can.
     * The listener must not block.
     */
    public void onWriteFailure(Consumer<Optional<String>> listener) {
        state.onChange(listener);
    }

    /** Queues a write; its listener gets the outcome. Blocks while the queue is full. */
    public void submit(StoreWrite write) throws InterruptedException {
        queue.submit(write);
    }

    /**
     * Passes the matching events of a range of rows to a sink, in the store's order, until the sink returns false.
     *
     * @param afterRowId the range begins after this row
     * @param upToRowId the range ends with this row
     * @param limit maximum number of events
     * @return the last row that is done: upToRowId, or the last event's row if the sink or the limit ended the scan early
     * @throws RowsRemovedException the range begins with removed rows; then the sink got no event
     */
    public <E extends Message> long scan(
            EventQuery<E> query, long afterRowId, long upToRowId, int limit, Predicate<StoredEvent<E>> sink)
            throws SQLException, RowsRemovedException {
        Select select = query.select(afterRowId, upToRowId, "ORDER BY row_id");
        // Both queries read the same snapshot, so rows that retention removes meanwhile are either read or reported as
        // removed.
        return readers.read(connection -> Transaction.read(connection, () -> {
            RowsRemovedException.throwIfAfter(afterRowId, StoreSchema.removedUpTo(connection));
            return scan(connection, query.kind(), select, upToRowId, limit, sink);
        }));
    }

    private <E extends Message> long scan(
            Connection connection,
            EventKind<E> kind,
            Select select,
            long upToRowId,
            int limit,
            Predicate<StoredEvent<E>> sink)
            throws SQLException {
        int handedOver = 0;
        try (PreparedStatement statement = select.prepare(connection);
                ResultSet rows = statement.executeQuery()) {
            while (rows.next()) {
                StoredEvent<E> event = storedEvent(kind, rows);
                if (!sink.test(event) || ++handedOver == limit) {
                    return event.rowId();
                }
            }
            return upToRowId;
        }
    }

    /**
     * Returns the newest matching events before a row.
     *
     * @param limit maximum number of events
     * @param maxBytes maximum sum of their sizes, bytes, though the first event may be larger
     */
    public <E extends Message> EventPage<E> newestBefore(EventQuery<E> query, long beforeRowId, int limit, int maxBytes)
            throws SQLException {
        RowRange range = rowsBetween(query.kind(), query.sinceNanos(), query.untilNanos());
        long upToRowId = Math.min(range.last(), beforeRowId - 1);
        Select select = query.select(range.first() - 1, upToRowId, "ORDER BY row_id DESC LIMIT " + (limit + 1));
        List<StoredEvent<E>> events = new ArrayList<>();
        int[] bytesLeft = {maxBytes};
        boolean more = !read(select, row -> {
            StoredEvent<E> event = storedEvent(query.kind(), row);
            bytesLeft[0] -= event.event().getSerializedSize();
            boolean fits = events.size() < limit && (bytesLeft[0] >= 0 || events.isEmpty());
            return fits && events.add(event);
        });
        return new EventPage<>(events, more);
    }

    /** Returns the events of a kind with an id: at most one per node. */
    public <E extends Message> List<E> withId(EventKind<E> kind, String eventId) throws SQLException {
        List<E> events = new ArrayList<>();
        Select select =
                new Select("SELECT row_id, body FROM event WHERE event_id = ? AND +kind = ?", eventId, kind.number());
        read(select, row -> events.add(storedEvent(kind, row).event()));
        return events;
    }

    /**
     * Returns a row before every event, of any kind, at a time or later, nanoseconds since 1970. Reads only an index.
     */
    public long rowBefore(long sinceNanos) throws SQLException {
        long before = lastRowId();
        for (EventKind<?> kind : EventKind.ALL) {
            RowRange range = rowsBetween(kind, sinceNanos, EventQuery.ANY_UNTIL);
            if (!range.isEmpty()) {
                before = Math.min(before, range.first() - 1);
            }
        }
        return before;
    }

    /**
     * Returns the range of rows that contains every event of a kind in a range of times, nanoseconds since 1970. The range
     * may contain other events too, because agents send recovered events late. Reads only an index.
     */
    private RowRange rowsBetween(EventKind<?> kind, long sinceNanos, long untilNanos) throws SQLException {
        if (sinceNanos == EventQuery.ANY_SINCE && untilNanos == EventQuery.ANY_UNTIL) {
            return RowRange.ALL;
        }
        RowRange[] range = {RowRange.NONE};
        // Without the hint SQLite scans the table itself from its first row, which may be the whole store.
        String sql = """
        SELECT min(row_id), max(row_id) FROM event INDEXED BY event_by_time
        WHERE kind = ? AND time_nanos >= ? AND time_nanos < ?""";
        read(new Select(sql, kind.number(), sinceNanos, untilNanos), row -> {
            long first = row.getLong(1);
            if (!row.wasNull()) {
                range[0] = new RowRange(first, row.getLong(2));
            }
            return false;
        });
        return range[0];
    }

    /**
     * Summarizes events.
     *
     * @param upToRowId counts the rows up to this one
     * @param limit maximum number of rows; a longer summary is cut off
     */
    public List<SummaryRow> summarize(SummaryQuery query, long upToRowId, int limit) throws SQLException {
        List<SummaryRow> summary = new ArrayList<>();
        read(query.select(upToRowId), row -> summary.add(SummaryRow.of(row, query)) && summary.size() < limit);
        return summary;
    }

    /**
     * Passes the nodes to a sink, by name in the order of its UTF-8 bytes, until the sink returns false.
     *
     * @param name only the nodes after this one; empty for all
     * @return whether the sink took all of them
     */
    public boolean nodesAfter(String name, Predicate<StoredNode> sink) throws SQLException {
        Select select = new Select("SELECT name, last_seen_nanos, status FROM node WHERE name > ? ORDER BY name", name);
        return read(select, row -> sink.test(storedNode(row)));
    }

    /** Writes the queued writes, then closes the file. No read may be running. */
    @Override
    public void close() throws IOException {
        try (lock) {
            try {
                readers.close();
            } finally {
                queue.close();
            }
        } catch (SQLException e) {
            throw new IOException("the event store could not be closed: " + e.getMessage(), e);
        }
    }

    /** Handles a row; false ends the read. */
    private interface RowReader {
        boolean read(ResultSet row) throws SQLException;
    }

    /** Reads all rows, or up to the row that ends the read; returns false in the latter case. */
    private boolean read(Select select, RowReader reader) throws SQLException {
        return readers.read(connection -> {
            try (PreparedStatement statement = select.prepare(connection);
                    ResultSet rows = statement.executeQuery()) {
                boolean goOn = true;
                while (goOn && rows.next()) {
                    goOn = reader.read(rows);
                }
                return goOn;
            }
        });
    }

    private <E extends Message> StoredEvent<E> storedEvent(EventKind<E> kind, ResultSet row) throws SQLException {
        long rowId = row.getLong("row_id");
        try {
            E event = kind.parse(row.getBytes("body"));
            // The upkeep removes the expired fields some time later.
            return new StoredEvent<>(rowId, upkeep.hasExpiredSender(rowId) ? kind.withoutExpired(event) : event);
        } catch (InvalidProtocolBufferException e) {
            throw new SQLException("row " + rowId + " of the store is not an event", e);
        }
    }

    private static StoredNode storedNode(ResultSet row) throws SQLException {
        String name = row.getString("name");
        byte[] status = row.getBytes("status");
        try {
            return new StoredNode(
                    status == null
                            ? AgentStatus.newBuilder()
                                    .setNode(Node.newBuilder().setName(name))
                                    .build()
                            : AgentStatus.parseFrom(status),
                    Timestamps.fromNanos(row.getLong("last_seen_nanos")));
        } catch (InvalidProtocolBufferException e) {
            throw new SQLException("the status of node " + name + " in the store is not one", e);
        }
    }
}
