package dev.exit137.aggregator.ingest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.aggregator.ManualCall;
import dev.exit137.aggregator.TestClock;
import dev.exit137.aggregator.access.Caller;
import dev.exit137.aggregator.limits.AnyPeer;
import dev.exit137.aggregator.server.GuardedCalls;
import dev.exit137.aggregator.server.Refusals;
import dev.exit137.aggregator.store.EventStore;
import dev.exit137.aggregator.store.Retention;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.PublishEventsRequest;
import dev.exit137.proto.v1.PublishEventsResponse;
import io.grpc.Status;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IngestStreamTest {
    private final ManualCall<PublishEventsResponse> agent = new ManualCall<>();
    private static final Instant BEGIN = Instant.parse("2001-02-03T04:05:06Z");

    private final CountDownLatch ended = new CountDownLatch(1);
    private final ConnectedNodes connected = new ConnectedNodes();
    private final Refusals refusals = new Refusals();
    private final Guard guard = new Guard();
    private final TestClock clock = new TestClock(BEGIN);

    @TempDir
    private Path dataDir;

    private EventStore store;
    private IngestStream stream;

    @BeforeEach
    void open() throws IOException {
        store = EventStore.open(dataDir, Retention.DEFAULT, clock, guard, new PrometheusRegistry());
        agent.takes(Integer.MAX_VALUE);
        stream = open(Caller.ANYONE, clock);
    }

    private IngestStream open(Caller caller, InstantSource itsClock) {
        IngestStream opened = new IngestStream(
                store,
                agent,
                AnyPeer.unlimited(),
                caller,
                connected,
                refusals,
                itsClock,
                guard,
                which -> ended.countDown());
        opened.open();
        return opened;
    }

    private void awaitEnd() throws InterruptedException {
        assertThat(ended.await(60, TimeUnit.SECONDS)).as("the stream has ended").isTrue();
    }

    @AfterEach
    void close() throws IOException {
        store.close();
    }

    @Test
    void aSlowDiskLetsAFloodWaitInTheAgent() throws Exception {
        try (Connection other = DriverManager.getConnection("jdbc:sqlite:" + dataDir.resolve("events.db"));
                Statement lock = other.createStatement()) {
            lock.execute("BEGIN IMMEDIATE");

            int sent = sendWhatIsAskedFor("", 0);

            assertThat(sent).isEqualTo(256);
            lock.execute("ROLLBACK");
        }
        stream.onCompleted();
        awaitEnd();
        assertThat(agent.sent().stream()
                        .mapToInt(PublishEventsResponse::getAcksCount)
                        .sum())
                .isEqualTo(256);
    }

    @Test
    void aSlowDiskLetsLargeEventsWaitSooner() throws SQLException {
        try (Connection other = DriverManager.getConnection("jdbc:sqlite:" + dataDir.resolve("events.db"));
                Statement lock = other.createStatement()) {
            lock.execute("BEGIN IMMEDIATE");

            assertThat(sendWhatIsAskedFor("x".repeat(60_000), 7)).isEqualTo(3);

            lock.execute("ROLLBACK");
        }
    }

    @Test
    void anAgentThatTakesNoAcknowledgementsIsAskedForNothingMore() {
        agent.takes(0);
        int before = agent.requested();

        stream.onNext(event(0, "", 0));
        stream.onNext(event(1, "", 0));

        assertThat(agent.requested()).isEqualTo(before);
    }

    @Test
    void aMessageThatFailsAsNobodyExpectedEndsItsStreamAsInternalAndIsCounted() {
        IngestStream failing = open(Caller.ANYONE, () -> {
            throw new LinkageError("nobody expected this");
        });

        failing.onNext(event(0, "", 0));

        assertThat(agent.end()).isEqualTo(GuardedCalls.FAILURE);
        assertThat(ended.getCount()).isZero();
        assertThat(guard.counts()).isEqualTo(Map.of("ingest", 1L));
    }

    @Test
    void anAcknowledgementThatCannotBeSentEndsTheStreamSoThatTheAgentSendsAgain() throws InterruptedException {
        agent.breaks();

        stream.onNext(event(0, "", 0));

        assertThat(agent.awaitEnd()).isEqualTo(GuardedCalls.FAILURE);
        assertThat(connected.size()).isZero();
        assertThat(guard.counts()).isEqualTo(Map.of("ingest", 1L));
    }

    @Test
    void aStreamOnWhichNothingComesEndsWhenTheCertificateOrTokenOfItsCallerHasEnded() {
        IngestStream idle = open(provenFor(Duration.ofHours(1)), clock);
        clock.advance(Duration.ofHours(1));
        idle.endIfUnproven();
        assertThat(agent.end()).isNull();

        clock.advance(Duration.ofSeconds(1));
        idle.endIfUnproven();
        idle.endIfUnproven();

        assertThat(agent.end().getCode()).isEqualTo(Status.Code.UNAUTHENTICATED);
        assertThat(agent.end().getDescription())
                .isEqualTo(
                        "the token or certificate with which this stream began ended at 2001-02-03T05:05:06Z; connect again");
        assertThat(refusals.count(Refusals.Reason.UNAUTHENTICATED)).isEqualTo(1);
    }

    @Test
    void aMessageThatComesAfterTheProofOfItsSenderHasEndedIsNotStored() {
        IngestStream late = open(provenFor(Duration.ofHours(1)), clock);
        clock.advance(Duration.ofHours(2));

        late.onNext(event(0, "", 0));

        assertThat(agent.end().getCode()).isEqualTo(Status.Code.UNAUTHENTICATED);
        assertThat(connected.size()).isZero();
    }

    private static Caller provenFor(Duration time) {
        return new Caller(Set.of("node:node-a"), true, Set.of("node-a"), false, BEGIN.plus(time));
    }

    /** Sends an event for every one asked for, until no more is; returns how many. */
    private int sendWhatIsAskedFor(String filler, int fillers) {
        int sent = 0;
        while (sent < agent.requested()) {
            stream.onNext(event(sent++, filler, fillers));
        }
        return sent;
    }

    private static Published event(int number, String filler, int fillers) {
        return Published.of(PublishEventsRequest.newBuilder()
                .setEvent(OomKillEvent.newBuilder()
                        .setEventId("event-" + number)
                        .setRevision(1)
                        .setNode(Node.newBuilder().setName("node-a"))
                        .addAllRecommendations(Collections.nCopies(fillers, filler)))
                .build());
    }
}
