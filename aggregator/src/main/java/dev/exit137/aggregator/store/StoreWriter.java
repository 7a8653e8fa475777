package dev.exit137.aggregator.store;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.Pod;
import java.nio.ByteBuffer;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Writes batches to the file, each batch in one transaction. Rows are collected in the driver until a flush, which is
 * much faster than single inserts. Used by the store's writer thread alone.
 */
final class StoreWriter implements AutoCloseable {
    private final Connection connection;
    private final StoreCounts counts;
    private final NodeLosses losses;
    private final boolean keepsSenders;
    private final KnownIds known;
    private final PreparedStatement deleteRow;
    private final PreparedStatement insertEvent;
    private final PreparedStatement seenNode;
    private final PreparedStatement findStatus;
    private final PreparedStatement setStatus;

    // Hashes of the collected events.
    private final Set<ByteBuffer> gathered = new HashSet<>();
    private long lastRowId;

    /** @param keepsSenders false: removes the personal fields of senders before it writes an event */
    StoreWriter(Connection connection, StoreCounts counts, NodeLosses losses, boolean keepsSenders)
            throws SQLException {
        this.keepsSenders = keepsSenders;
        this.connection = connection;
        this.counts = counts;
        this.losses = losses;
        known = new KnownIds(connection);
        deleteRow = connection.prepareStatement("DELETE FROM event WHERE row_id = ?");
        insertEvent = connection.prepareStatement("""
            INSERT INTO event (event_id, node, revision, time_nanos, scope,
              namespace, pod_name, pod_uid, container_name, container_id, body, row_id, %s)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, %s)""".formatted(SummaryColumns.NAMES, SummaryColumns.PARAMETERS));
        seenNode = connection.prepareStatement("""
            INSERT INTO node (name, last_seen_nanos) VALUES (?, ?)
            ON CONFLICT (name) DO UPDATE SET last_seen_nanos = excluded.last_seen_nanos""");
        findStatus = connection.prepareStatement("SELECT status FROM node WHERE name = ?");
        setStatus = connection.prepareStatement("UPDATE node SET status = ? WHERE name = ?");
        lastRowId = StoreSchema.lastRowId(connection);
    }

    /**
     * Writes the whole batch or nothing.
     *
     * @return the highest row id ever assigned
     */
    long write(List<StoreWrite> batch) throws SQLException {
        counts.begin();
        losses.begin();
        forgetGathered();
        lastRowId = Transaction.write(connection, () -> {
            seen(batch);
            long rowId = lastRowId;
            for (StoreWrite write : batch) {
                switch (write) {
                    case StoreWrite.Event event -> rowId = store(event, rowId);
                    case StoreWrite.Status status -> setStatus(status);
                }
            }
            flush();
            return rowId;
        });
        losses.committed();
        counts.committed();
        return lastRowId;
    }

    @Override
    public void close() throws SQLException {
        connection.close();
    }

    /** Discards the collected rows of a failed transaction. */
    private void forgetGathered() throws SQLException {
        seenNode.clearBatch();
        insertEvent.clearBatch();
        known.clear();
        gathered.clear();
    }

    private void flush() throws SQLException {
        insertEvent.executeBatch();
        known.flush();
        gathered.clear();
    }

    private void seen(List<StoreWrite> batch) throws SQLException {
        Map<String, StoreWrite> lastOfNode = new HashMap<>();
        for (StoreWrite write : batch) {
            lastOfNode.put(write.node(), write);
        }
        for (StoreWrite last : lastOfNode.values()) {
            seenNode.setString(1, last.node());
            seenNode.setLong(2, EpochNanos.of(last.receivedAt()));
            seenNode.addBatch();
        }
        seenNode.executeBatch();
    }

    private void setStatus(StoreWrite.Status status) throws SQLException {
        findStatus.setString(1, status.node());
        try (ResultSet before = findStatus.executeQuery()) {
            losses.remove(before.next() ? before.getBytes(1) : null);
        }
        byte[] now = status.status().toByteArray();
        setStatus.setBytes(1, now);
        setStatus.setString(2, status.node());
        setStatus.executeUpdate();
        losses.add(now);
    }

    /**
     * Stores the event if it is new.
     *
     * @param lastRowId the highest row id before it
     * @return the highest row id after it
     */
    private long store(StoreWrite.Event write, long lastRowId) throws SQLException {
        EventFacts event = write.facts();
        long revision = Integer.toUnsignedLong(event.revision());
        byte[] id = known.hash(event.kind(), event.eventId(), event.node());
        if (gathered.contains(ByteBuffer.wrap(id))) {
            flush();
        }
        KnownIds.Known before = known.find(id);
        if (before.revision() >= revision) {
            counts.onRepeated(event.kind());
            return lastRowId;
        }
        if (before.rowId() == 0) {
            counts.onFresh(event);
        } else {
            deleteRow.setLong(1, before.rowId());
            counts.onRevised(event.kind(), deleteRow.executeUpdate());
        }
        long rowId = lastRowId + 1;
        insert(write, rowId);
        known.put(id, rowId, revision);
        gathered.add(ByteBuffer.wrap(id));
        return rowId;
    }

    private void insert(StoreWrite.Event write, long rowId) throws SQLException {
        EventFacts event = write.facts();
        Container container = event.container();
        Pod pod = container.getPod();
        insertEvent.setString(1, event.eventId());
        insertEvent.setString(2, event.node());
        insertEvent.setLong(3, Integer.toUnsignedLong(event.revision()));
        insertEvent.setObject(4, event.timeNanos());
        insertEvent.setInt(5, event.scope());
        insertEvent.setString(6, nullIfEmpty(pod.getNamespace()));
        insertEvent.setString(7, nullIfEmpty(pod.getName()));
        insertEvent.setString(8, nullIfEmpty(pod.getUid()));
        insertEvent.setString(9, nullIfEmpty(container.getName()));
        insertEvent.setString(10, nullIfEmpty(container.getId()));
        insertEvent.setBytes(11, keepsSenders ? write.body() : withoutSender(write));
        insertEvent.setLong(12, rowId);
        SummaryColumns.bind(insertEvent, 13, event);
        insertEvent.addBatch();
    }

    private static byte[] withoutSender(StoreWrite.Event write) {
        try {
            return write.facts().kind().withoutExpired(write.body());
        } catch (InvalidProtocolBufferException e) {
            throw new IllegalStateException("these bytes were parsed before", e);
        }
    }

    private static @Nullable String nullIfEmpty(String value) {
        return value.isEmpty() ? null : value;
    }
}
