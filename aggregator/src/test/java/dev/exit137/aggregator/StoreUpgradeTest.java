package dev.exit137.aggregator;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.EventCounts;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.GetEventRequest;
import dev.exit137.proto.v1.ListEventsRequest;
import dev.exit137.proto.v1.ListExitsRequest;
import dev.exit137.proto.v1.ListNodesRequest;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.SummarizeEventsRequest;
import dev.exit137.proto.v1.WatchEventsRequest;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.time.InstantSource;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Stores of older versions of the program, with the same events: resources/store-v1.sql, before retention existed, and
 * resources/store-v3.sql, before there were other events than kills.
 */
class StoreUpgradeTest {
    private static final String BOOT = "f4203c8a-5b27-4855-a156-f5228f1de149";
    // Given by the old program after it had stored the second event.
    private static final String OLD_TOKEN = "cjHwe8THXEjmv45CGsJHNMQAAAAAAAAAAgAAAAAAAAAAAAAAAAAAAAA";

    // A minute after it had heard of the node: later, the node would be forgotten.
    private static final InstantSource CLOCK = InstantSource.fixed(Instant.parse("2026-11-21T20:42:19Z"));

    @TempDir
    private Path dataDir;

    private void anOldStore(int version) throws IOException, SQLException {
        try (InputStream file = StoreUpgradeTest.class.getResourceAsStream("/store-v" + version + ".sql");
                Connection connection = DriverManager.getConnection("jdbc:sqlite:" + dataDir.resolve("events.db"));
                Statement statement = connection.createStatement()) {
            for (String sql : new String(file.readAllBytes(), StandardCharsets.UTF_8).split(";\n")) {
                statement.execute(sql);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void anOldStoreKeepsItsEventsItsNodesAndTheTokensThatItGave(int version) throws IOException, SQLException {
        anOldStore(version);
        try (Fixture fixture = new Fixture(dataDir, CLOCK)) {
            assertThat(fixture.list(ListEventsRequest.getDefaultInstance()))
                    .containsExactly(id(1990), id(2012), id(1968));
            OomKillEvent event = fixture.consumer()
                    .getEvent(GetEventRequest.newBuilder().setEventId(id(1990)).build());
            assertThat(event.getRevision()).isEqualTo(2);
            assertThat(event.getContainer().getPod().getName()).isEqualTo("api-0");
            assertThat(fixture.consumer()
                            .listNodes(ListNodesRequest.getDefaultInstance())
                            .getNodesList())
                    .singleElement()
                    .satisfies(node ->
                            assertThat(node.getStatus().getAgentVersion()).isEqualTo("0.1.0"));
            Fixture.Watch resumed = fixture.watch(
                    WatchEventsRequest.newBuilder().setResumeToken(OLD_TOKEN).build());
            assertThat(resumed.nextIds(2)).containsExactly(id(2012), id(1990));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void whatAnOldStoreHasIsNotNewWhenAnAgentSendsItAgain(int version) throws IOException, SQLException {
        anOldStore(version);
        new Fixture(dataDir, CLOCK).close();
        try (Fixture fixture = new Fixture(dataDir, CLOCK)) {
            fixture.publish(event(1968, 1), event(1990, 1), event(1990, 2), event(2012, 2), event(2034, 1));

            WatchEventsRequest all = WatchEventsRequest.newBuilder()
                    .setFromTime(Timestamp.getDefaultInstance())
                    .build();
            assertThat(fixture.watch(all).nextIds(4)).containsExactly(id(1968), id(1990), id(2012), id(2034));
            assertThat(fixture.list(ListEventsRequest.getDefaultInstance())).hasSize(4);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void whatAnOldStoreHasIsCountedByWhatItsColumnsDidNotSay(int version) throws IOException, SQLException {
        anOldStore(version);
        try (Fixture fixture = new Fixture(dataDir, CLOCK)) {
            EventCounts counts = fixture.consumer()
                    .summarizeEvents(SummarizeEventsRequest.getDefaultInstance())
                    .getTotal()
                    .getCounts();

            assertThat(counts.getKills()).isEqualTo(3);
            assertThat(counts.getOoms()).isEqualTo(3);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void anOldStoreTakesEndsAndItsEventsAreKillsAndNoEnds(int version) throws IOException, SQLException {
        anOldStore(version);
        try (Fixture fixture = new Fixture(dataDir, CLOCK)) {
            fixture.publish(Fixture.exit("end").setUnit("cron.service").build());

            assertThat(fixture.list(ListEventsRequest.getDefaultInstance())).hasSize(3);
            assertThat(fixture.exits()
                            .listExits(ListExitsRequest.getDefaultInstance())
                            .getExitsList())
                    .extracting(ExitEvent::getEventId)
                    .containsExactly("end");
            assertThat(fixture.watch(WatchEventsRequest.newBuilder()
                                    .setResumeToken(OLD_TOKEN)
                                    .build())
                            .nextIds(2))
                    .containsExactly(id(2012), id(1990));
        }
    }

    @Test
    void anOomWithoutAKillOfAnOldStoreIsStillNoKill() throws IOException, SQLException {
        anOldStore(3);
        try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + dataDir.resolve("events.db"));
                Statement statement = connection.createStatement()) {
            statement.execute("UPDATE event SET outcome = " + OomKillEvent.Outcome.PANIC_VALUE + " WHERE row_id = 3");
            statement.execute("UPDATE event SET outcome = 0 WHERE row_id = 4");
        }
        try (Fixture fixture = new Fixture(dataDir, CLOCK)) {
            EventCounts counts = fixture.consumer()
                    .summarizeEvents(SummarizeEventsRequest.getDefaultInstance())
                    .getTotal()
                    .getCounts();

            assertThat(counts.getKills()).isEqualTo(1);
            assertThat(counts.getOoms()).isEqualTo(3);
        }
    }

    private static OomKillEvent event(int sequence, int revision) {
        return Fixture.event(id(sequence))
                .setRevision(revision)
                .setTime(Timestamp.newBuilder().setSeconds(1_763_642_382))
                .build();
    }

    private static String id(int sequence) {
        return BOOT + "/kmsg/" + sequence;
    }
}
