package dev.exit137.aggregator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.aggregator.access.TestTokens;
import dev.exit137.proto.v1.EventIngestGrpc;
import dev.exit137.proto.v1.ListEventsRequest;
import dev.exit137.proto.v1.OomEventsGrpc;
import dev.exit137.proto.v1.WatchEventsRequest;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Status;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Callers whose token ends while their streams are open, and on which nothing comes. */
class ExpiredCallerTest {
    private static final Instant BEGIN = Instant.parse("2001-02-03T04:05:06Z");

    private final TestTokens cluster = new TestTokens("key-1");
    private final TestClock clock = new TestClock(BEGIN);

    @TempDir
    private Path directory;

    private Fixture fixture;

    @BeforeEach
    void open() throws IOException {
        Path jwks = Files.writeString(directory.resolve("jwks.json"), TestTokens.jwks(cluster));
        fixture = new Fixture(directory.resolve("data"), TestTokens.accessConfig(jwks.toString()), clock);
    }

    @AfterEach
    void close() {
        fixture.close();
    }

    private Channel channelWithTokenFor(Duration time) {
        String token = cluster.token("node-a", BEGIN, BEGIN.plus(time));
        return ClientInterceptors.intercept(
                fixture.newChannel(), MetadataUtils.newAttachHeadersInterceptor(TestTokens.headers(token)));
    }

    private OomEventsGrpc.OomEventsBlockingStub consumerFor(Duration time) {
        return OomEventsGrpc.newBlockingStub(channelWithTokenFor(time)).withDeadlineAfter(60, TimeUnit.SECONDS);
    }

    @Test
    void aReaderWhoseTokenEndsIsNotLeftWatching() {
        Fixture.Watch watch = new Fixture.Watch(consumerFor(Duration.ofHours(1)).watchEvents(quietWatch()));
        Fixture.Watch longer =
                new Fixture.Watch(consumerFor(Duration.ofHours(3)).watchEvents(quietWatch()));
        watch.nextHeartbeat();
        longer.nextHeartbeat();

        clock.advance(Duration.ofHours(2));

        Status end = Fixture.failureOf(watch::next);
        assertThat(end.getCode()).isEqualTo(Status.Code.UNAUTHENTICATED);
        assertThat(end.getDescription())
                .startsWith("the token or certificate with which this stream began ended at ")
                .endsWith("; connect again");
        agentFor(Duration.ofHours(3)).send(Fixture.event(1));
        assertThat(longer.nextId()).isEqualTo("event-1");
    }

    @Test
    void anAgentWhoseTokenEndsIsNotLeftWithAnIdleStream() {
        TestAgent agent = agentFor(Duration.ofHours(1));
        agent.send(Fixture.event(1));
        agent.nextAck();

        clock.advance(Duration.ofHours(2));

        assertThat(agent.end().getCode()).isEqualTo(Status.Code.UNAUTHENTICATED);
        assertThat(consumerFor(Duration.ofHours(3))
                        .listEvents(ListEventsRequest.getDefaultInstance())
                        .getEventsList())
                .hasSize(1);
    }

    private TestAgent agentFor(Duration time) {
        return new TestAgent(
                EventIngestGrpc.newStub(channelWithTokenFor(time)).withDeadlineAfter(60, TimeUnit.SECONDS));
    }

    /** One with no heartbeats but the first. */
    private static WatchEventsRequest quietWatch() {
        return WatchEventsRequest.newBuilder()
                .setHeartbeatInterval(com.google.protobuf.Duration.newBuilder().setSeconds(600))
                .build();
    }
}
