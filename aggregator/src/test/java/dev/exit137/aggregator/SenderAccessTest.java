package dev.exit137.aggregator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.google.protobuf.Timestamp;
import dev.exit137.aggregator.access.AccessConfig;
import dev.exit137.aggregator.access.TestTokens;
import dev.exit137.aggregator.store.Retention;
import dev.exit137.proto.v1.EventIngestGrpc;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEventsGrpc.ExitEventsBlockingStub;
import dev.exit137.proto.v1.GetEventRequest;
import dev.exit137.proto.v1.ListExitsRequest;
import dev.exit137.proto.v1.Sender;
import dev.exit137.proto.v1.WatchExitsRequest;
import dev.exit137.proto.v1.WatchExitsResponse;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who sent a signal may be a person: it is told to those who may know, and not for ever. */
class SenderAccessTest {
    private static final Instant BEGIN = Instant.parse("2026-02-03T04:05:06Z");
    private static final Sender BASH = Sender.newBuilder().setComm("bash").build();
    private static final ExitEvent WITHOUT = Fixture.exit("end")
            .setTime(Timestamp.newBuilder().setSeconds(1))
            .setExitCode(137)
            .build();
    private static final ExitEvent WITH = WITHOUT.toBuilder()
            .setSender(BASH.toBuilder().setLoginuid(1000).setTty("/dev/pts/7"))
            .build();

    private final TestTokens cluster = new TestTokens("key-1");

    @TempDir
    private Path directory;

    @Test
    void aReaderWhoMayNotKnowTheSenderGetsTheEventWithoutItInEveryAnswer() throws IOException {
        try (Fixture fixture = fixture(List.of("node:on-*"))) {
            publish(fixture);

            assertThat(everyAnswer(reader(fixture, "on-call")))
                    .containsOnly(WITH)
                    .hasSize(3);
            assertThat(everyAnswer(reader(fixture, "scaler")))
                    .containsOnly(WITHOUT)
                    .hasSize(3);
        }
    }

    @Test
    void everyReaderMayKnowTheSenderUnlessTheFlagNamesSome() throws IOException {
        try (Fixture fixture = fixture(List.of())) {
            publish(fixture);

            assertThat(everyAnswer(reader(fixture, "scaler"))).containsOnly(WITH);
        }
        try (Fixture open = new Fixture(directory.resolve("open"))) {
            open.publish(WITH);

            assertThat(everyAnswer(open.exits())).containsOnly(WITH);
        }
    }

    @Test
    void whereSendersAreNeverKeptThePersonIsInNoAnswer() throws IOException {
        Retention never = new Retention(Duration.ofDays(30), Retention.ANY_SIZE, Duration.ofDays(7), Duration.ZERO);
        ExitEvent program = WITHOUT.toBuilder().setSender(BASH).build();
        try (Fixture fixture = new Fixture(directory.resolve("data"), never)) {
            fixture.publish(WITH);

            assertThat(everyAnswer(fixture.exits())).containsOnly(program);
        }
        try (Fixture later = new Fixture(directory.resolve("data"))) {
            assertThat(everyAnswer(later.exits())).as("nor in the file").containsOnly(program);
        }
    }

    @Test
    void whatHasExpiredIsNotServedThoughItCouldNotBeRemovedFromTheFile() throws IOException, SQLException {
        Path data = directory.resolve("data");
        try (Fixture fixture = new Fixture(data)) {
            fixture.publish(WITH);
        }
        try (Connection other = DriverManager.getConnection("jdbc:sqlite:" + data.resolve("events.db"));
                Statement statement = other.createStatement()) {
            statement.execute(
                    "CREATE TRIGGER refuse BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'a defect of the test'); END");
        }
        Retention never = new Retention(Duration.ofDays(30), Retention.ANY_SIZE, Duration.ofDays(7), Duration.ZERO);

        try (Fixture fixture = new Fixture(data, never)) {
            assertThat(everyAnswer(fixture.exits()))
                    .containsOnly(WITHOUT.toBuilder().setSender(BASH).build());
        }
    }

    @Test
    void aRuleAboutReadersNeedsToKnowThem() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AccessConfig(
                        null, null, null, null, AccessConfig.DEFAULT_MAY_PUBLISH, List.of(), List.of("on-call")))
                .withMessageContaining("--allow-sender need to know who calls");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> TestTokens.accessConfig("jwks.json", List.of("a*b")))
                .withMessageContaining("'a*b' of --allow-sender");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Retention(
                        Duration.ofDays(1), Retention.ANY_SIZE, Duration.ofDays(7), Duration.ofMillis(999)))
                .withMessage("--sender-retention must be 1s or more, 0 for never, or off, and is 999ms");
    }

    private Fixture fixture(List<String> mayReadSender) throws IOException {
        Path jwks = Files.writeString(directory.resolve("jwks.json"), TestTokens.jwks(cluster));
        Path data = Files.createTempDirectory(directory, "data");
        return new Fixture(data, TestTokens.accessConfig(jwks.toString(), mayReadSender), new TestClock(BEGIN));
    }

    private Channel channel(Fixture fixture, String node) {
        String token = cluster.token(node, BEGIN, BEGIN.plusSeconds(3600));
        return ClientInterceptors.intercept(
                fixture.newChannel(), MetadataUtils.newAttachHeadersInterceptor(TestTokens.headers(token)));
    }

    private void publish(Fixture fixture) {
        TestAgent agent = new TestAgent(
                EventIngestGrpc.newStub(channel(fixture, "node-a")).withDeadlineAfter(60, TimeUnit.SECONDS));
        agent.send(WITH);
        agent.nextAck();
        agent.finish();
    }

    private ExitEventsBlockingStub reader(Fixture fixture, String name) {
        return Fixture.exits(channel(fixture, name));
    }

    private static List<ExitEvent> everyAnswer(ExitEventsBlockingStub consumer) {
        Iterator<WatchExitsResponse> watch = consumer.watchExits(WatchExitsRequest.newBuilder()
                .setFromTime(Timestamp.getDefaultInstance())
                .build());
        assertThat(watch.next().hasHeartbeat()).isTrue();
        return List.of(
                consumer.listExits(ListExitsRequest.getDefaultInstance()).getExits(0),
                consumer.getExit(GetEventRequest.newBuilder().setEventId("end").build()),
                watch.next().getExit());
    }
}
