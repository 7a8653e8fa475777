package dev.exit137.aggregator;

import static dev.exit137.aggregator.Fixture.event;
import static dev.exit137.aggregator.Fixture.failureOf;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.aggregator.store.Retention;
import dev.exit137.proto.v1.ListEventsRequest;
import dev.exit137.proto.v1.ListNodesRequest;
import dev.exit137.proto.v1.SummarizeEventsRequest;
import dev.exit137.proto.v1.SummarizeEventsRequest.Dimension;
import dev.exit137.proto.v1.WatchEventsRequest;
import io.grpc.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Something is thrown into a real aggregator: the next event is stored and watched, the probe succeeds, and what happened
 * is said. StoreSeamsTest has the seams within the store.
 */
class AggregatorSeamsTest {
    private static final Instant NOW = Instant.parse("2026-05-01T12:00:00Z");

    /** The store's clock fails once: an Error, as of a class that is missing. */
    private volatile boolean storesNextLookFails;

    @TempDir
    private Path dataDir;

    private Fixture fixture;
    private HttpPages pages;

    @BeforeEach
    void start() throws IOException {
        // So that the first thing that the store does fails.
        storesNextLookFails = true;
        fixture = new Fixture(dataDir, new Retention(Duration.ofDays(1), Retention.ANY_SIZE), this::look);
        pages = new HttpPages(fixture.guard(), fixture.aggregator());
    }

    @AfterEach
    void stop() {
        pages.close();
        fixture.close();
    }

    private Instant look() {
        if (storesNextLookFails && Thread.currentThread().getName().equals("exit137-store")) {
            storesNextLookFails = false;
            throw new NoClassDefFoundError("a defect of the test");
        }
        return NOW;
    }

    @Test
    void theTimerOfTheUpkeepAndTheCountOfWhatWasStoredThrow() throws Exception {
        Fixture.Watch watch = fixture.watch(WatchEventsRequest.getDefaultInstance());
        fixture.publish(event(1));
        storesNextLookFails = true;
        fixture.publish(event(2));

        fixture.publish(event(3));

        assertThat(watch.nextIds(3)).containsExactly("event-1", "event-2", "event-3");
        assertThat(pages.get("/metrics")).contains("exit137_events_stored_total{kind=\"oom\",recovered=\"false\"} 3.0");
        assertSaysSo(Map.of("upkeep", 1L, "store", 1L));
    }

    @Test
    void theAnswerToAConsumerThrows() throws Exception {
        Fixture.Watch watch = fixture.watch(WatchEventsRequest.getDefaultInstance());
        fixture.publish(event(1));
        execute("UPDATE event SET scope = 'no number'");
        SummarizeEventsRequest byScope =
                SummarizeEventsRequest.newBuilder().addBy(Dimension.SCOPE).build();

        Status status = failureOf(() -> fixture.consumer().summarizeEvents(byScope));

        assertThat(status.getCode()).isEqualTo(Status.Code.INTERNAL);
        assertThat(status.getDescription()).startsWith("the aggregator failed at this unexpectedly");
        fixture.publish(event(2));
        assertThat(watch.nextIds(2)).containsExactly("event-1", "event-2");
        assertThat(fixture.consumer()
                        .summarizeEvents(SummarizeEventsRequest.getDefaultInstance())
                        .getTotal()
                        .getCounts()
                        .getEvents())
                .isEqualTo(2);
        assertSaysSo(Map.of("upkeep", 1L, "query", 1L));
    }

    /** No restart mends it, so no probe fails: somebody has to see to it, and consumers read what can be read. */
    @Test
    void theStoresFileIsReplacedByGarbage() throws Exception {
        fixture.publish(event(1));
        Files.write(dataDir.resolve("events.db-wal"), new byte[1 << 20]);
        Files.writeString(dataDir.resolve("events.db"), "garbage".repeat(10_000));

        failureOf(() -> fixture.list(ListEventsRequest.getDefaultInstance()));
        TestAgent agent = fixture.agent();
        agent.send(event(2));

        assertThat(agent.end().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
        assertThat(pages.get("/livez")).startsWith("200\n");
        assertThat(pages.get("/readyz")).startsWith("200\nserving ok\nstore the store's file is damaged");
        assertThat(pages.get("/metrics")).contains("\nexit137_store_writable 0.0\n");
    }

    private void assertSaysSo(Map<String, Long> errors) throws Exception {
        assertThat(pages.get("/livez")).startsWith("200\n");
        assertThat(fixture.consumer()
                        .listNodes(ListNodesRequest.getDefaultInstance())
                        .getInternalErrorsMap())
                .isEqualTo(errors);
        String metrics = pages.get("/metrics");
        errors.forEach((place, count) -> assertThat(metrics)
                .contains("exit137_internal_errors_total{place=\"" + place + "\"} " + count + ".0\n"));
    }

    private void execute(String sql) throws SQLException {
        try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + dataDir.resolve("events.db"))) {
            connection.createStatement().execute(sql);
        }
    }
}
