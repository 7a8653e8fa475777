package dev.exit137.aggregator.store;

import dev.exit137.aggregator.ProtoTimes;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.Pod;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;

/** Puts batches of writes into the file, each batch in one transaction. Used by the store's writer thread alone. */
final class StoreWriter implements AutoCloseable {
  private final Connection connection;
  private final PreparedStatement findRevision;
  private final PreparedStatement deleteRow;
  private final PreparedStatement insertEvent;
  private final PreparedStatement seenNode;
  private final PreparedStatement setStatus;

  StoreWriter(Connection connection) throws SQLException {
    this.connection = connection;
    findRevision = connection.prepareStatement("SELECT row_id, revision FROM event WHERE event_id = ? AND node = ?");
    deleteRow = connection.prepareStatement("DELETE FROM event WHERE row_id = ?");
    insertEvent =
        connection.prepareStatement(
            """
            INSERT INTO event (event_id, node, revision, time_nanos, scope,
              namespace, pod_name, pod_uid, container_name, container_id, body)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""");
    seenNode =
        connection.prepareStatement(
            """
            INSERT INTO node (name, last_seen_nanos) VALUES (?, ?)
            ON CONFLICT (name) DO UPDATE SET last_seen_nanos = excluded.last_seen_nanos""");
    setStatus = connection.prepareStatement("UPDATE node SET status = ? WHERE name = ?");
    connection.setAutoCommit(false);
  }

  /**
   * Writes all or nothing.
   *
   * @return the highest row id ever given
   */
  long write(List<StoreWrite> batch) throws SQLException {
    try {
      for (StoreWrite write : batch) {
        seen(write);
        switch (write) {
          case StoreWrite.Event event -> store(event.event());
          case StoreWrite.Status status -> setStatus(status);
        }
      }
      long lastRowId = StoreSchema.lastRowId(connection);
      connection.commit();
      return lastRowId;
    } catch (SQLException | RuntimeException e) {
      connection.rollback();
      throw e;
    }
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
    findRevision.setString(1, event.getEventId());
    findRevision.setString(2, event.getNode().getName());
    long oldRowId = 0;
    try (ResultSet rows = findRevision.executeQuery()) {
      if (rows.next()) {
        if (rows.getLong("revision") >= Integer.toUnsignedLong(event.getRevision())) {
          return;
        }
        oldRowId = rows.getLong("row_id");
      }
    }
    if (oldRowId != 0) {
      deleteRow.setLong(1, oldRowId);
      deleteRow.executeUpdate();
    }
    insert(event);
  }

  private void insert(OomKillEvent event) throws SQLException {
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
    insertEvent.executeUpdate();
  }

  private static String nullIfEmpty(String value) {
    return value.isEmpty() ? null : value;
  }
}
