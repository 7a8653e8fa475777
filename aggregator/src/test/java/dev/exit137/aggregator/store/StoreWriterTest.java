package dev.exit137.aggregator.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StoreWriterTest {
    @TempDir
    private Path dataDir;

    private Connection connection;
    private final PrometheusRegistry metrics = new PrometheusRegistry();
    private StoreCounts counts;
    private StoreWriter writer;

    @BeforeEach
    void open() throws SQLException, IOException {
        connection = StoreSchema.openWriter(dataDir.resolve("events.db"));
        counts = new StoreCounts(metrics, InstantSource.system(), new Guard());
        writer = new StoreWriter(connection, counts, new NodeLosses(connection), true);
    }

    @AfterEach
    void close() throws SQLException {
        connection.close();
    }

    @Test
    void anEventThatComesThriceInOneBatchIsStoredOnceInItsNewestRevision() throws SQLException {
        long lastRowId =
                writer.write(List.of(event("a", 1), event("a", 1), event("b", 1), event("a", 2), event("a", 1)));

        assertThat(stored()).containsExactly("2 b 1", "3 a 2");
        assertThat(lastRowId).isEqualTo(3);
        assertThat(counts.addedRows()).isEqualTo(2);
        assertThat(counted()).containsExactly("events_repeated 2.0", "events_revised 1.0", "events_stored 2.0");
    }

    @Test
    void anEventOfABatchThatCouldNotBeStoredIsStillNewInTheNext() throws SQLException {
        run(
                "CREATE TRIGGER refuse BEFORE INSERT ON event WHEN NEW.event_id = 'b' BEGIN SELECT RAISE(ABORT, 'no'); END");
        assertThatThrownBy(() -> writer.write(List.of(event("a", 1), event("b", 1))))
                .isInstanceOf(SQLException.class);
        run("DROP TRIGGER refuse");

        long lastRowId = writer.write(List.of(event("a", 1)));

        assertThat(stored()).containsExactly("1 a 1");
        assertThat(lastRowId).isEqualTo(1);
        assertThat(counts.addedRows()).as("what failed counts nothing").isEqualTo(1);
        assertThat(counted()).containsExactly("events_stored 1.0");
    }

    private List<String> counted() {
        return metrics.scrape().stream()
                .flatMap(metric -> metric.getDataPoints().stream()
                        .filter(CounterDataPointSnapshot.class::isInstance)
                        .map(point -> ((CounterDataPointSnapshot) point).getValue())
                        .filter(value -> value > 0)
                        .map(value -> metric.getMetadata().getName().replace("exit137_", "") + " " + value))
                .toList();
    }

    private void run(String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    private List<String> stored() throws SQLException {
        List<String> events = new ArrayList<>();
        try (Statement statement = connection.createStatement();
                ResultSet rows =
                        statement.executeQuery("SELECT row_id, event_id, revision FROM event ORDER BY row_id")) {
            while (rows.next()) {
                events.add(rows.getLong(1) + " " + rows.getString(2) + " " + rows.getLong(3));
            }
        }
        return events;
    }

    private static StoreWrite event(String id, int revision) {
        OomKillEvent event = OomKillEvent.newBuilder()
                .setEventId(id)
                .setRevision(revision)
                .setNode(Node.newBuilder().setName("node-a"))
                .build();
        return new StoreWrite.Event(EventFacts.of(event), event.toByteArray(), Instant.EPOCH, null);
    }
}
