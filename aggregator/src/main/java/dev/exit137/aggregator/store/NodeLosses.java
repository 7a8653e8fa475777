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
 * The sum of the losses of all nodes in the store: in memory, so that metrics need not read the store. Changes are
 * collected during a transaction and applied after its commit. Used by the store's writer thread; the sums are for any
 * thread.
 */
final class NodeLosses {
    private final Map<String, Long> change = new HashMap<>();
    private volatile Map<String, Long> sums = LossKinds.of(Losses.getDefaultInstance());

    /** Sums the stored losses. */
    NodeLosses(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT status FROM node")) {
            while (rows.next()) {
                add(rows.getBytes(1));
            }
        }
        committed();
    }

    /** Starts a transaction; discards the changes of a transaction that was not committed. */
    void begin() {
        change.clear();
    }

    /** @param status an AgentStatus that is added to the store */
    void add(byte[] status) {
        count(status, 1);
    }

    /** @param status an AgentStatus that is removed from the store; null for none */
    void remove(byte @Nullable [] status) {
        count(status, -1);
    }

    /** Applies the changes after the commit. */
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
            // This status added nothing to the sums, so its removal subtracts nothing.
        }
    }
}
