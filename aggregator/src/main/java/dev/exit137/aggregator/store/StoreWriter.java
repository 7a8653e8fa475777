package dev.exit137.aggregator.store;

import dev.exit137.aggregator.ProtoTimes;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.Pod;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Puts batches of writes into the file, each batch in one transaction. Used by the store's writer thread alone. */
final class StoreWriter implements AutoCloseable {
  private final Connection connection;
  private final KnownIds known;
  private final PreparedStatement deleteRow;
  private final PreparedStatement insertEvent;
  private final PreparedStatement seenNode;
  private final PreparedStatement setStatus;

  StoreWriter(Connection connection) throws SQLException {
    this.connection = connection;
    known = new KnownIds(connection);
    deleteRow = connection.prepareStatement("DELETE FROM event WHERE row_id = ?");
    insertEvent =
        connection.prepareStatement(
            """
            INSERT INTO event (event_id, node, revision, time_nanos, scope,
              namespace, pod_name, pod_uid, container_name, container_id, body,
              outcome, incident, recovered, limit_owner, unit, labels)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING row_id""");
    seenNode =
        connection.prepareStatement(
            """
            INSERT INTO node (name, last_seen_nanos) VALUES (?, ?)
            ON CONFLICT (name) DO UPDATE SET last_seen_nanos = excluded.last_seen_nanos""");
    setStatus = connection.prepareStatement("UPDATE node SET status = ? WHERE name = ?");
  }

  /**
   * Writes all or nothing.
   *
   * @return the highest row id ever given
   */
  long write(List<StoreWrite> batch) throws SQLException {
    return Transaction.write(
        connection,
        () -> {
          Map<String, StoreWrite> lastOfNode = new HashMap<>();
          for (StoreWrite write : batch) {
            lastOfNode.put(write.node(), write);
          }
          for (StoreWrite last : lastOfNode.values()) {
            seen(last);
          }
          for (StoreWrite write : batch) {
            switch (write) {
              case StoreWrite.Event event -> store(event.event());
              case StoreWrite.Status status -> setStatus(status);
            }
          }
          return StoreSchema.lastRowId(connection);
        });
  }

  @Override
  public void close() throws SQLException {
    connection.close();
  }

  private void seen(StoreWrite write) throws SQLException {
    seenNode.setString(1, write.node());
    seenNode.setLong(2, ProtoTimes.epochNanos(ProtoTimes.timestamp(write.receivedAt())));
    seenNode.executeUpdate();
  }

  private void setStatus(StoreWrite.Status status) throws SQLException {
    setStatus.setBytes(1, status.status().toByteArray());
    setStatus.setString(2, status.node());
    setStatus.executeUpdate();
  }

  private void store(OomKillEvent event) throws SQLException {
    String node = event.getNode().getName();
    long revision = Integer.toUnsignedLong(event.getRevision());
    KnownIds.Known before = known.find(event.getEventId(), node);
    if (before.revision() >= revision) {
      return;
    }
    if (before.rowId() != 0) {
      deleteRow.setLong(1, before.rowId());
      deleteRow.executeUpdate();
    }
    known.put(event.getEventId(), node, insert(event), revision);
  }

  /** Returns the event's row id. */
  private long insert(OomKillEvent event) throws SQLException {
    Container container = event.getContainer();
    Pod pod = container.getPod();
    insertEvent.setString(1, event.getEventId());
    insertEvent.setString(2, event.getNode().getName());
    insertEvent.setLong(3, Integer.toUnsignedLong(event.getRevision()));
    insertEvent.setObject(4, event.hasTime() ? ProtoTimes.epochNanos(event.getTime()) : null);
    insertEvent.setInt(5, event.getScopeValue());
    insertEvent.setString(6, nullIfEmpty(pod.getNamespace()));
    insertEvent.setString(7, nullIfEmpty(pod.getName()));
    insertEvent.setString(8, nullIfEmpty(pod.getUid()));
    insertEvent.setString(9, nullIfEmpty(container.getName()));
    insertEvent.setString(10, nullIfEmpty(container.getId()));
    insertEvent.setBytes(11, event.toByteArray());
    SummaryColumns.bind(insertEvent, 12, event);
    try (ResultSet rows = insertEvent.executeQuery()) {
      return rows.getLong(1);
    }
  }

  private static String nullIfEmpty(String value) {
    return value.isEmpty() ? null : value;
  }
}
