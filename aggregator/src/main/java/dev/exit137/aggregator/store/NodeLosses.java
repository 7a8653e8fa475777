package dev.exit137.aggregator.store;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.exit137.daemon.metrics.LossKinds;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.Losses;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the nodes in the store have lost, summed: in memory, so that metrics need not read the store. Changes gather
 * during a transaction, and count once it is committed. Used by the store's writer thread, but for the sums.
 */
final class NodeLosses {
  private final Map<String, Long> change = new HashMap<>();
  private volatile Map<String, Long> sums = LossKinds.of(Losses.getDefaultInstance());

  /** Sums up what is in the store. */
  NodeLosses(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SELECT status FROM node")) {
      while (rows.next()) {
        add(rows.getBytes(1));
      }
    }
    committed();
  }

  /** A transaction begins; what gathered in one that was not committed is forgotten. */
  void begin() {
    change.clear();
  }

  /** @param status an AgentStatus that comes into the store; null for none */
  void add(byte[] status) {
    count(status, 1);
  }

  /** @param status an AgentStatus that goes; null for none */
  void remove(byte @Nullable [] status) {
    count(status, -1);
  }

  /** The transaction is on the disk. */
  void committed() {
    Map<String, Long> now = new LinkedHashMap<>(sums);
    change.forEach((kind, count) -> now.merge(kind, count, Long::sum));
    change.clear();
    sums = now;
  }

  /** The sum of each kind of loss, 0 included; for any thread. */
  Map<String, Long> sums() {
    return sums;
  }

  private void count(byte @Nullable [] status, int sign) {
    if (status == null) {
      return;
    }
    try {
      LossKinds.of(AgentStatus.parseFrom(status).getLosses())
          .forEach((kind, count) -> change.merge(kind, sign * count, Long::sum));
    } catch (InvalidProtocolBufferException damaged) {
      // It counted nothing when it came, and so it does when it goes.
    }
  }
}
