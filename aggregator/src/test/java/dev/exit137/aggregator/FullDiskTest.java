package dev.exit137.aggregator;

import static dev.exit137.aggregator.Fixture.event;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.exit137.aggregator.store.EventFacts;
import dev.exit137.aggregator.store.EventStore;
import dev.exit137.aggregator.store.Retention;
import dev.exit137.aggregator.store.StoreWrite;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.ListEventsRequest;
import dev.exit137.proto.v1.OomKillEvent;
import io.grpc.Status;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The aggregator on a disk of 32 MiB of its own, a tmpfs. Needs root. */
class FullDiskTest {
    private static final ListEventsRequest ALL =
            ListEventsRequest.newBuilder().setPageSize(1000).build();
    private static final String INGEST = "exit137.v1.EventIngest";
    private static final String FILLER = "x".repeat(50_000);

    @TempDir
    private Path disk;

    private boolean mounted;
    private int nextEvent;

    @BeforeEach
    void mount() throws Exception {
        Process mount = new ProcessBuilder("mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", disk.toString())
                .redirectErrorStream(true)
                .start();
        String said = new String(mount.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        mounted = mount.waitFor() == 0;
        if (!mounted) {
            System.out.println("FullDiskTest is skipped: no tmpfs can be mounted here: " + said);
            abort(said);
        }
    }

    @AfterEach
    void unmount() throws Exception {
        if (mounted) {
            new ProcessBuilder("umount", "--lazy", disk.toString()).start().waitFor();
        }
    }

    @Test
    void onAFullDiskAgentsKeepTheirEventsConsumersReadOnAndRoomBringsTheStoreBack() throws IOException {
        try (Fixture fixture = new Fixture(disk)) {
            Iterator<HealthCheckResponse> health = watchHealth(fixture);
            assertThat(health.next().getStatus()).isEqualTo(ServingStatus.SERVING);
            List<String> acknowledged = new ArrayList<>();

            Status end = publishUntilRefused(fixture, acknowledged);

            assertThat(end.getCode()).isEqualTo(Status.Code.UNAVAILABLE);
            assertThat(end.getDescription())
                    .contains("the aggregator could not store events: ")
                    .contains("full");
            assertThat(health.next().getStatus()).isEqualTo(ServingStatus.NOT_SERVING);
            assertThat(statusOf(fixture, "exit137.v1.OomEvents")).isEqualTo(ServingStatus.SERVING);
            assertThat(statusOf(fixture, "")).isEqualTo(ServingStatus.SERVING);
            assertThat(fixture.list(ALL)).containsExactlyElementsOf(acknowledged.reversed());
            TestAgent refused = fixture.agent();
            refused.send(event(nextEvent));
            assertThat(refused.end().getDescription()).contains("the disk is full");

            Files.delete(disk.resolve("ballast"));

            assertThat(health.next().getStatus()).isEqualTo(ServingStatus.SERVING);
            fixture.publish(event(nextEvent));
            acknowledged.add("event-" + nextEvent);
            assertThat(fixture.list(ALL)).containsExactlyElementsOf(acknowledged.reversed());
        }
    }

    @Test
    void aStoreIsReadAfterAStartOnAFullDisk() throws IOException {
        List<String> acknowledged = new ArrayList<>();
        try (Fixture fixture = new Fixture(disk)) {
            publishUntilRefused(fixture, acknowledged);
        }
        fillTo(disk.resolve("more ballast"), 0);

        try (Fixture fixture = new Fixture(disk)) {
            assertThat(statusOf(fixture, INGEST)).isEqualTo(ServingStatus.NOT_SERVING);
            assertThat(fixture.list(ALL)).containsExactlyElementsOf(acknowledged.reversed());
        }
    }

    @Test
    void whatRetentionRemovesOnAFullDiskIsTheRoomThatWasMissing() throws Exception {
        AtomicReference<Instant> now = new AtomicReference<>(Instant.parse("2026-05-01T12:00:00Z"));
        BlockingQueue<Optional<String>> states = new LinkedBlockingQueue<>();
        fillTo(disk.resolve("ballast"), 22 << 20);
        try (EventStore store = EventStore.open(
                disk,
                new Retention(Duration.ofSeconds(10), Retention.ANY_SIZE),
                now::get,
                new Guard(),
                new PrometheusRegistry())) {
            store.onWriteFailure(states::add);
            assertThat(states.take()).isEmpty();
            // One at a time, so that events and not the log take the room.
            Outcomes outcomes = new Outcomes(new LinkedBlockingQueue<>());
            do {
                OomKillEvent event =
                        event(nextEvent++).toBuilder().setExplanation(FILLER).build();
                store.submit(new StoreWrite.Event(EventFacts.of(event), event.toByteArray(), now.get(), outcomes));
            } while (outcomes.stored().take());
            assertThat(states.take()).hasValueSatisfying(why -> assertThat(why).startsWith("the disk is full"));

            // The age of events counts from the first look at the clock after they were stored.
            Optional<String> state = null;
            for (int i = 0; i < 120 && state == null; i++) {
                now.set(now.get().plusSeconds(11));
                state = states.poll(1, TimeUnit.SECONDS);
            }
            assertThat(state).as("with all the ballast still there").isNotNull().isEmpty();
            assertThat(store.removed().byAge()).isPositive();
        }
    }

    private record Outcomes(BlockingQueue<Boolean> stored) implements StoreWrite.Listener {
        @Override
        public void committed(List<StoreWrite> writes) {
            stored.add(true);
        }

        @Override
        public void failed(List<StoreWrite> writes, Exception cause) {
            stored.add(false);
        }
    }

    /** Half of the disk is somebody else's; the rest is filled with events. */
    private Status publishUntilRefused(Fixture fixture, List<String> acknowledged) throws IOException {
        fillTo(disk.resolve("ballast"), 14 << 20);
        TestAgent agent = fixture.agent();
        while (!agent.hasEnded()) {
            OomKillEvent event =
                    event(nextEvent++).toBuilder().setExplanation(FILLER).build();
            agent.send(event);
            agent.ackOrEnd().ifPresent(ack -> acknowledged.add(ack.getEventId()));
        }
        return agent.end();
    }

    private void fillTo(Path file, long freeBytes) throws IOException {
        try (OutputStream out = Files.newOutputStream(file)) {
            byte[] page = new byte[4096];
            while (Files.getFileStore(disk).getUsableSpace() > freeBytes) {
                out.write(page);
            }
        }
    }

    private static Iterator<HealthCheckResponse> watchHealth(Fixture fixture) {
        return HealthGrpc.newBlockingStub(fixture.newChannel())
                .withDeadlineAfter(2, TimeUnit.MINUTES)
                .watch(HealthCheckRequest.newBuilder().setService(INGEST).build());
    }

    private static ServingStatus statusOf(Fixture fixture, String service) {
        return HealthGrpc.newBlockingStub(fixture.newChannel())
                .check(HealthCheckRequest.newBuilder().setService(service).build())
                .getStatus();
    }
}
