package dev.exit137.aggregator.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.ProcessRef;
import dev.exit137.proto.v1.Sender;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Retention on a clock of the test's own, with the writer's thread played by the test. */
class StoreUpkeepTest {
    private static final Retention A_MONTH = new Retention(Duration.ofDays(30), Retention.ANY_SIZE);
    private static final Retention EIGHT_MIB = new Retention(Retention.ANY_AGE, 8 << 20);

    @TempDir
    private Path dataDir;

    private Connection connection;
    private NodeLosses losses;
    private StoreWriter writer;
    private Instant now = Instant.parse("2026-05-01T12:00:00Z");

    @BeforeEach
    void open() throws SQLException, IOException {
        connection = StoreSchema.openWriter(dataDir.resolve("events.db"));
        losses = new NodeLosses(connection);
        writer = writer(true);
    }

    @AfterEach
    void close() throws SQLException {
        connection.close();
    }

    @Test
    void eventsGoWhenTheyAreOlderThanRetentionAllowsAndNotBefore() throws SQLException {
        StoreUpkeep upkeep = upkeep(A_MONTH);
        store(0, 1200, 100);
        keepUp(upkeep);
        pass(Duration.ofDays(20));
        store(1200, 1300, 100);
        keepUp(upkeep);

        pass(Duration.ofDays(10));
        keepUp(upkeep);
        assertThat(ids()).as("none is older than 30 days").hasSize(1300);

        pass(Duration.ofSeconds(1));
        keepUp(upkeep);
        assertThat(ids()).containsExactlyElementsOf(names(1200, 1300));
        assertThat(upkeep.removed()).isEqualTo(new RemovedEvents(1200, 0));
        assertThat(upkeep.removedUpTo()).isEqualTo(1200);
    }

    @Test
    void aNodeThatWasNotHeardOfForAWeekIsForgottenAndItsEventsAreNot() throws SQLException {
        StoreUpkeep upkeep = upkeep(A_MONTH);
        store(0, 3, 100);
        pass(Duration.ofDays(7));
        writer.write(List.of(write(event(3, 100).setNode(Node.newBuilder().setName("still here")))));
        keepUp(upkeep);
        assertThat(nodes()).as("just a week").hasSize(2);

        pass(Duration.ofSeconds(1));
        keepUp(upkeep);

        assertThat(nodes()).containsExactly("still here");
        assertThat(ids()).containsExactlyElementsOf(names(0, 4));
    }

    @Test
    void noNodeIsForgottenWhereThatIsOff() throws SQLException {
        store(0, 1, 100);
        pass(Duration.ofDays(10_000));
        keepUp(upkeep(new Retention(Retention.ANY_AGE, Retention.ANY_SIZE, Retention.ANY_AGE)));

        assertThat(nodes()).hasSize(1);
    }

    @Test
    void theAgeOfEventsIsKnownAfterARestart() throws SQLException {
        store(0, 10, 100);
        keepUp(upkeep(A_MONTH));

        pass(Duration.ofDays(31));
        StoreUpkeep restarted = upkeep(A_MONTH);
        keepUp(restarted);

        assertThat(ids()).isEmpty();
        assertThat(upkeep(A_MONTH).removedUpTo()).as("and so is what is gone").isEqualTo(10);
    }

    @Test
    void anEventThatIsSentAgainAfterItsRetentionIsNotNew() throws SQLException {
        StoreUpkeep upkeep = upkeep(A_MONTH);
        store(0, 10, 100);
        keepUp(upkeep);
        pass(Duration.ofDays(100));
        keepUp(upkeep);

        store(5, 12, 100);

        assertThat(ids()).containsExactly("event-10", "event-11");
    }

    @Test
    void aNewRevisionOfAnEventThatIsGoneIsStored() throws SQLException {
        StoreUpkeep upkeep = upkeep(A_MONTH);
        store(0, 3, 100);
        keepUp(upkeep);
        pass(Duration.ofDays(31));
        keepUp(upkeep);

        writer.write(List.of(write(event(1, 100).setRevision(2))));

        assertThat(ids()).containsExactly("event-1");
    }

    @Test
    void anIdIsForgottenAfterFourTimesTheRetention() throws SQLException {
        StoreUpkeep upkeep = upkeep(A_MONTH);
        store(0, 2500, 100);
        keepUp(upkeep);

        pass(Duration.ofDays(120));
        keepUp(upkeep);
        assertThat(number("SELECT count(*) FROM known_id")).isEqualTo(2500);

        pass(Duration.ofSeconds(1));
        keepUp(upkeep);
        assertThat(number("SELECT count(*) FROM known_id")).isZero();
        assertThat(number("SELECT count(*) FROM stored_by"))
                .as("only the age of what is there")
                .isLessThanOrEqualTo(1);
    }

    @Test
    void idsAreKnownForAMonthHoweverShortTheRetentionIs() throws SQLException {
        StoreUpkeep upkeep = upkeep(new Retention(Duration.ofSeconds(1), Retention.ANY_SIZE));
        store(0, 10, 100);
        keepUp(upkeep);
        pass(Duration.ofDays(30));
        keepUp(upkeep);

        store(0, 10, 100);

        assertThat(ids()).isEmpty();
    }

    @Test
    void theIdOfAnEventThatIsThereIsNeverForgotten() throws SQLException {
        StoreUpkeep upkeep = upkeep(new Retention(Retention.ANY_AGE, Retention.ANY_SIZE));
        store(0, 10, 100);
        keepUp(upkeep);
        pass(Duration.ofDays(10_000));
        keepUp(upkeep);

        store(0, 10, 100);

        assertThat(ids()).hasSize(10);
    }

    @Test
    void theOldestGoWhenTheFileIsTooLargeAndTheFileShrinks() throws SQLException, IOException {
        store(0, 400, 100_000);
        assertThat(Files.size(dataDir.resolve("events.db-wal"))).isGreaterThan(20 << 20);
        StoreUpkeep upkeep = upkeep(EIGHT_MIB);

        keepUp(upkeep);

        List<String> left = ids();
        assertThat(left).hasSizeBetween(40, 80).last().isEqualTo("event-399");
        assertThat(left).containsExactlyElementsOf(names(400 - left.size(), 400));
        assertThat(upkeep.removed()).isEqualTo(new RemovedEvents(0, 400 - left.size()));
        assertThat(Files.size(dataDir.resolve("events.db"))).isLessThanOrEqualTo(8 << 20);
    }

    @Test
    void aFloodOfLargeEventsDoesNotOutrunTheRemovalOfSmallOnes() throws SQLException {
        StoreUpkeep upkeep = upkeep(EIGHT_MIB);
        store(0, 10_000, 100);

        for (int i = 10_000; i < 10_100; i++) {
            store(i, i + 1, 1 << 20);
            upkeep.makeRoom(1 << 20);
        }

        assertThat(ids()).hasSizeLessThan(8);
        assertThat(number("PRAGMA page_count") * number("PRAGMA page_size")).isLessThan(12 << 20);
    }

    @Test
    void aStepIsSmallSoThatNoWriteWaitsLong() throws SQLException {
        StoreUpkeep upkeep = upkeep(A_MONTH);
        store(0, 2000, 100);
        upkeep.begin(2000);
        pass(Duration.ofDays(31));
        upkeep.begin(2000);

        assertThat(upkeep.step()).isTrue();

        assertThat(ids()).hasSize(1500);
    }

    /** As of a copy that was repaired, or made by another program: SQLite gives no page of it back. */
    @Test
    void aFileThatCannotShrinkKeepsTheUpkeepBusyNoLongerThanOthers() throws SQLException, IOException {
        connection.close();
        Path other = dataDir.resolve("other.db");
        try (Connection maker = DriverManager.getConnection("jdbc:sqlite:" + other)) {
            maker.createStatement().execute("CREATE TABLE made_by_another_program (column1)");
        }
        connection = StoreSchema.openWriter(other);
        losses = new NodeLosses(connection);
        writer = writer(true);
        store(0, 1000, 10_000);
        StoreUpkeep upkeep = upkeep(A_MONTH);
        keepUp(upkeep);
        pass(Duration.ofDays(31));

        upkeep.begin(1000);
        int steps = 0;
        while (steps < 1000 && upkeep.step()) {
            steps++;
        }

        assertThat(ids()).isEmpty();
        assertThat(steps).isLessThan(100);
    }

    @Test
    void whatANodeLostIsSummedWhileItIsListed() throws SQLException {
        StoreUpkeep upkeep = upkeep(A_MONTH);
        writer.write(List.of(status("node-a", 1), status("node-b", 10)));
        writer.write(List.of(status("node-a", 3), status("node-a", 5)));
        assertThat(losses.sums()).containsEntry("kmsg_overruns", 15L).containsEntry("kills_ambiguous", 0L);
        assertThat(new NodeLosses(connection).sums()).as("after a restart").isEqualTo(losses.sums());

        pass(Duration.ofDays(7));
        writer.write(List.of(status("node-b", 10)));
        pass(Duration.ofSeconds(1));
        keepUp(upkeep);

        assertThat(losses.sums()).containsEntry("kmsg_overruns", 10L);
        assertThat(new NodeLosses(connection).sums()).isEqualTo(losses.sums());
    }

    @Test
    void whatWasLostByANodeWhoseStatusCouldNotBeStoredCountsOnceItIs() throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(
                    "CREATE TRIGGER refuse BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'a defect of the test'); END");
        }
        assertThatThrownBy(() -> writer.write(List.of(status("node-a", 1), write(event(1, 1)))))
                .hasMessageContaining("a defect of the test");
        assertThat(losses.sums()).containsEntry("kmsg_overruns", 0L);

        writer.write(List.of(status("node-a", 1)));

        assertThat(losses.sums()).containsEntry("kmsg_overruns", 1L);
    }

    private StoreWrite status(String node, long overruns) {
        AgentStatus.Builder status =
                AgentStatus.newBuilder().setNode(Node.newBuilder().setName(node));
        status.getLossesBuilder().setKmsgOverruns(overruns);
        return new StoreWrite.Status(status.build(), now, null);
    }

    @Test
    void whatAnEndTellsOfAPersonGoesWhenItIsTooOldAndItsRowAndTheRestStay() throws Exception {
        Retention aWeek = new Retention(Duration.ofDays(30), Retention.ANY_SIZE, Retention.ANY_AGE, Duration.ofDays(7));
        StoreUpkeep upkeep = upkeep(aWeek);
        List<StoreWrite> many = new ArrayList<>();
        for (int i = 0; i < 1200; i++) {
            many.add(write(end("end-" + i)));
        }
        writer.write(many);
        store(0, 10, 100);
        keepUp(upkeep);
        pass(Duration.ofDays(7));
        writer.write(List.of(write(end("new"))));
        keepUp(upkeep);
        assertThat(upkeep.hasExpiredSender(1)).as("just a week").isFalse();

        pass(Duration.ofSeconds(1));
        upkeep.begin(StoreSchema.lastRowId(connection));
        assertThat(upkeep.hasExpiredSender(1200)).as("at once for readers").isTrue();
        assertThat(number(WITH_A_PERSON)).isEqualTo(1201);
        assertThat(upkeep.step()).isTrue();
        assertThat(number(WITH_A_PERSON)).as("a step is small").isEqualTo(701);
        keepUp(upkeep);

        assertThat(number(WITH_A_PERSON)).as("the new one").isEqualTo(1);
        assertThat(stored("end-7")).isEqualTo(withoutPerson("end-7"));
        assertThat(ids()).hasSize(1211).startsWith("end-0").endsWith("new");
        writer.write(List.of(
                write(end("new").toBuilder().setRevision(2).clearSender().build())));
        upkeep.emptyLog();
        assertThat(Files.readString(dataDir.resolve("events.db"), StandardCharsets.ISO_8859_1))
                .as("nor in the free room of the file")
                .doesNotContain("/dev/pts/7");
        assertThat(upkeep(aWeek).hasExpiredSender(1200)).as("after a restart").isTrue();
        assertThat(upkeep(aWeek).hasExpiredSender(StoreSchema.lastRowId(connection)))
                .isFalse();
    }

    @Test
    void aPersonIsNeverStoredWhereThatIsOff() throws Exception {
        Retention never = new Retention(Retention.ANY_AGE, Retention.ANY_SIZE, Retention.ANY_AGE, Duration.ZERO);
        writer.write(List.of(write(end("before the flag"))));
        writer = writer(false);
        writer.write(List.of(write(end("after it"))));
        assertThat(stored("after it")).isEqualTo(withoutPerson("after it"));

        StoreUpkeep upkeep = upkeep(never);
        assertThat(upkeep.hasExpiredSender(1)).isTrue();
        keepUp(upkeep);

        assertThat(stored("before the flag")).isEqualTo(withoutPerson("before the flag"));
        assertThat(ids()).containsExactly("before the flag", "after it");
    }

    @Test
    void aDamagedEndKeepsNoOtherFromLosingItsPerson() throws Exception {
        writer.write(List.of(write(end("damaged")), write(end("whole"))));
        StoreUpkeep upkeep =
                upkeep(new Retention(Retention.ANY_AGE, Retention.ANY_SIZE, Retention.ANY_AGE, Duration.ofSeconds(1)));
        keepUp(upkeep);
        try (Statement statement = connection.createStatement()) {
            statement.execute("UPDATE event SET body = x'ff' WHERE row_id = 1");
        }

        pass(Duration.ofMinutes(1));
        keepUp(upkeep);

        assertThat(stored("whole")).isEqualTo(withoutPerson("whole"));
    }

    /** The login is in each end as these characters. */
    private static final String WITH_A_PERSON =
            "SELECT count(*) FROM event WHERE instr(body, CAST('/dev/pts/7' AS BLOB))";

    private static ExitEvent end(String id) {
        Sender sender = Sender.newBuilder()
                .setPid(7)
                .setComm("bash")
                .setExe("/usr/bin/bash")
                .setCmdline("kill")
                .setUid(1000)
                .setLoginuid(1000)
                .setTty("/dev/pts/7")
                .setUnit("session-3.scope")
                .addParents(ProcessRef.newBuilder().setPid(6))
                .build();
        return ExitEvent.newBuilder()
                .setEventId(id)
                .setRevision(1)
                .setNode(Node.newBuilder().setName("node-a"))
                .setSender(sender)
                .build();
    }

    private static ExitEvent withoutPerson(String id) {
        Sender sender = Sender.newBuilder()
                .setPid(7)
                .setComm("bash")
                .setExe("/usr/bin/bash")
                .setUnit("session-3.scope")
                .build();
        return end(id).toBuilder().setSender(sender).build();
    }

    private StoreWrite write(ExitEvent end) {
        return new StoreWrite.Event(EventFacts.of(end), end.toByteArray(), now, null);
    }

    private ExitEvent stored(String id) throws Exception {
        try (PreparedStatement statement =
                        new Select("SELECT body FROM event WHERE event_id = ?", id).prepare(connection);
                ResultSet rows = statement.executeQuery()) {
            assertThat(rows.next()).isTrue();
            return ExitEvent.parseFrom(rows.getBytes(1));
        }
    }

    private StoreWriter writer(boolean keepsSenders) throws SQLException {
        StoreCounts counts = new StoreCounts(new PrometheusRegistry(), () -> now, new Guard());
        return new StoreWriter(connection, counts, losses, keepsSenders);
    }

    private StoreUpkeep upkeep(Retention retention) throws SQLException {
        return new StoreUpkeep(connection, retention, () -> now, losses);
    }

    private void keepUp(StoreUpkeep upkeep) throws SQLException {
        upkeep.begin(StoreSchema.lastRowId(connection));
        while (upkeep.step()) {}
    }

    private void pass(Duration time) {
        now = now.plus(time);
    }

    private void store(int from, int to, int bytes) throws SQLException {
        List<StoreWrite> writes = new ArrayList<>();
        for (int i = from; i < to; i++) {
            writes.add(write(event(i, bytes)));
        }
        writer.write(writes);
    }

    private StoreWrite write(OomKillEvent.Builder builder) {
        OomKillEvent event = builder.build();
        return new StoreWrite.Event(EventFacts.of(event), event.toByteArray(), now, null);
    }

    private static OomKillEvent.Builder event(int number, int bytes) {
        return OomKillEvent.newBuilder()
                .setEventId("event-" + number)
                .setRevision(1)
                .setNode(Node.newBuilder().setName("node-a"))
                .setExplanationBytes(ByteString.copyFrom(new byte[bytes]));
    }

    private static List<String> names(int from, int to) {
        return IntStream.range(from, to).mapToObj(i -> "event-" + i).toList();
    }

    private List<String> ids() throws SQLException {
        return texts("SELECT event_id FROM event ORDER BY row_id");
    }

    private List<String> nodes() throws SQLException {
        return texts("SELECT name FROM node");
    }

    private List<String> texts(String query) throws SQLException {
        List<String> texts = new ArrayList<>();
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(query)) {
            while (rows.next()) {
                texts.add(rows.getString(1));
            }
        }
        return texts;
    }

    private long number(String query) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(query)) {
            rows.next();
            return rows.getLong(1);
        }
    }
}
