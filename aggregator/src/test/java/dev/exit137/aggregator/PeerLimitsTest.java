package dev.exit137.aggregator;

import static dev.exit137.aggregator.Fixture.event;
import static dev.exit137.aggregator.Fixture.events;
import static dev.exit137.aggregator.Fixture.failureOf;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.aggregator.limits.PeerLimits;
import dev.exit137.proto.v1.EventIngestGrpc;
import dev.exit137.proto.v1.ListEventsRequest;
import dev.exit137.proto.v1.OomEventsGrpc;
import dev.exit137.proto.v1.OomEventsGrpc.OomEventsBlockingStub;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.WatchEventsRequest;
import dev.exit137.proto.v1.WatchEventsResponse;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One peer at 127.0.0.2 asks for too much, and what comes of it for itself and for the one at 127.0.0.1. */
class PeerLimitsTest {
    private static final ListEventsRequest ALL = ListEventsRequest.getDefaultInstance();

    @TempDir
    private Path dataDir;

    @Test
    void aFloodOfEventsEndsItsOwnStreamAfterWhatWasTakenIsStoredAndNobodyElses() throws IOException {
        try (Fixture fixture = new Fixture(dataDir, new PeerLimits(0, 0, 10))) {
            TestAgent flood = new TestAgent(EventIngestGrpc.newStub(fixture.newChannelFrom("127.0.0.2")));
            TestAgent other = fixture.agent();
            for (OomKillEvent event : events(0, 5000)) {
                flood.send(event);
            }

            Status end = flood.end();

            assertThat(end.getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
            assertThat(end.getDescription())
                    .contains("127.0.0.2 sends more than 10 events a second", "--peer-max-events-per-second");
            int stored = fixture.list(ALL).size();
            assertThat(flood.untakenAcks())
                    .as("what is acknowledged is stored, and no more")
                    .isEqualTo(stored);
            assertThat(stored).isBetween(600, 4999);
            other.send(event(9001));
            assertThat(other.nextAck().getEventId()).isEqualTo("event-9001");
        }
    }

    @Test
    void aFloodOfQuestionsIsRefusedAndNotThoseOfOthersNorHealth() throws IOException {
        try (Fixture fixture = new Fixture(dataDir, new PeerLimits(0, 1, 0))) {
            ManagedChannel flood = fixture.newChannelFrom("127.0.0.2");
            OomEventsBlockingStub stub = OomEventsGrpc.newBlockingStub(flood).withDeadlineAfter(30, TimeUnit.SECONDS);

            Status refused = failureOf(() -> {
                for (int i = 0; i < 10_000; i++) {
                    stub.listEvents(ALL);
                }
            });

            assertThat(refused.getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
            assertThat(refused.getDescription()).contains("127.0.0.2 asks more than 1 times a second");
            assertThat(fixture.consumer().listEvents(ALL).getEventsList()).isEmpty();
            for (int i = 0; i < 20; i++) {
                assertThat(HealthGrpc.newBlockingStub(flood)
                                .check(HealthCheckRequest.getDefaultInstance())
                                .getStatus())
                        .isEqualTo(ServingStatus.SERVING);
            }
        }
    }

    @Test
    void aWatchTooManyIsRefusedOverAllConnectionsOfAPeerAndOneThatEndsMakesRoom() throws Exception {
        try (Fixture fixture = new Fixture(dataDir, new PeerLimits(2, 0, 0))) {
            ClientCall<?, ?> first =
                    openWatch(fixture.newChannelFrom("127.0.0.2")).get(30, TimeUnit.SECONDS);
            openWatch(fixture.newChannelFrom("127.0.0.2")).get(30, TimeUnit.SECONDS);
            OomEventsBlockingStub third = OomEventsGrpc.newBlockingStub(fixture.newChannelFrom("127.0.0.2"))
                    .withDeadlineAfter(60, TimeUnit.SECONDS);

            Status refused = failureOf(() ->
                    third.watchEvents(WatchEventsRequest.getDefaultInstance()).next());

            assertThat(refused.getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
            assertThat(refused.getDescription()).startsWith("127.0.0.2 has 2 watches open");
            assertThat(third.listEvents(ALL).getEventsList())
                    .as("it may still ask")
                    .isEmpty();
            fixture.watch(WatchEventsRequest.getDefaultInstance());

            first.cancel("enough", null);
            boolean open = false;
            while (!open) {
                try {
                    open = third.watchEvents(WatchEventsRequest.getDefaultInstance())
                            .next()
                            .hasHeartbeat();
                } catch (StatusRuntimeException e) {
                    assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
                }
            }
        }
    }

    /** The call of a watch, once its first message came. */
    private static CompletableFuture<ClientCall<?, ?>> openWatch(ManagedChannel channel) {
        var call = channel.newCall(OomEventsGrpc.getWatchEventsMethod(), CallOptions.DEFAULT);
        CompletableFuture<ClientCall<?, ?>> opened = new CompletableFuture<>();
        call.start(
                new ClientCall.Listener<>() {
                    @Override
                    public void onMessage(WatchEventsResponse message) {
                        opened.complete(call);
                    }

                    @Override
                    public void onClose(Status status, Metadata trailers) {
                        opened.completeExceptionally(status.asException());
                    }
                },
                new Metadata());
        call.sendMessage(WatchEventsRequest.getDefaultInstance());
        call.halfClose();
        call.request(1);
        return opened;
    }
}
