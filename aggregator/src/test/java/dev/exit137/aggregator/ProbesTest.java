package dev.exit137.aggregator;

import static dev.exit137.aggregator.Fixture.event;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.aggregator.store.EventFacts;
import dev.exit137.aggregator.store.EventQuery;
import dev.exit137.aggregator.store.EventStore;
import dev.exit137.aggregator.store.Retention;
import dev.exit137.aggregator.store.StoreWrite;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.EventFilter;
import dev.exit137.proto.v1.OomKillEvent;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Kubelet ends a daemon whose probe does not answer: nothing that consumers do may hold one up. */
class ProbesTest {
    private static final int LIMIT_SECONDS = 60;
    private static final Instant NOW = Instant.parse("2026-05-01T12:00:00Z");
    private static final EventQuery<OomKillEvent> ALL = EventQuery.of(EventFilter.getDefaultInstance());
    // As many as there are connections that read.
    private static final int READERS = 3;

    @TempDir
    private Path dataDir;

    @Test
    void probesAndMetricsAnswerWhileEveryConnectionThatReadsTheStoreIsTaken() throws Exception {
        Guard guard = new Guard();
        InstantSource clock = InstantSource.fixed(NOW);
        PrometheusRegistry metrics = new PrometheusRegistry();
        EventStore store = EventStore.open(dataDir, Retention.DEFAULT, clock, guard, metrics);
        GrpcServer server = GrpcServer.start(new AggregatorConfig("127.0.0.1", 0, dataDir), store, clock, guard);
        CountDownLatch reading = new CountDownLatch(READERS);
        CompletableFuture<Boolean> goOn =
                new CompletableFuture<Boolean>().orTimeout(4 * LIMIT_SECONDS, TimeUnit.SECONDS);
        try (Aggregator aggregator = new Aggregator(store, server, metrics, guard);
                HttpPages pages = new HttpPages(guard, aggregator)) {
            store(store, event(1));
            for (int i = 0; i < READERS; i++) {
                Thread.startVirtualThread(() -> readUntil(store, reading, goOn));
            }
            assertThat(reading.await(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();

            assertThat(pages.get("/metrics"))
                    .startsWith("200\n")
                    .contains("\nexit137_store_events 1.0\n", "\nexit137_node_losses{kind=\"kmsg_overruns\"} 0.0\n");
            assertThat(pages.get("/livez")).isEqualTo("200\nexit137-grpc ok\nexit137-store ok\n");
            assertThat(pages.get("/readyz")).isEqualTo("200\nserving ok\nstore ok\n");

            goOn.complete(true);
        }
    }

    private static void readUntil(EventStore store, CountDownLatch reading, CompletableFuture<Boolean> goOn) {
        try {
            store.scan(ALL, 0, 1, 1, event -> {
                reading.countDown();
                return goOn.join();
            });
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static void store(EventStore store, OomKillEvent event) throws Exception {
        CompletableFuture<Void> stored = new CompletableFuture<>();
        store.submit(new StoreWrite.Event(EventFacts.of(event), event.toByteArray(), NOW, new StoreWrite.Listener() {
            @Override
            public void committed(List<StoreWrite> writes) {
                stored.complete(null);
            }

            @Override
            public void failed(List<StoreWrite> writes, Exception cause) {
                stored.completeExceptionally(cause);
            }
        }));
        stored.get(LIMIT_SECONDS, TimeUnit.SECONDS);
    }
}
