package dev.exit137.aggregator.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.util.Timestamps;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.EventFilter;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Something is thrown into the store where others' code meets its own: it goes on, and each write has its outcome. */
class StoreSeamsTest {
    private static final int LIMIT_SECONDS = 60;
    private static final EventQuery<OomKillEvent> ALL = EventQuery.of(EventFilter.getDefaultInstance());

    private final Guard guard = new Guard();
    private final BlockingQueue<Instant> looksAtTheClock = new LinkedBlockingQueue<>();
    private volatile Instant now = Instant.parse("2026-05-01T12:00:00Z");
    private volatile Error nextLookFails;

    @TempDir
    private Path dataDir;

    private EventStore store;

    @BeforeEach
    void open() throws IOException {
        open(Retention.DEFAULT);
    }

    private void open(Retention retention) throws IOException {
        store = EventStore.open(dataDir, retention, this::look, guard, new PrometheusRegistry());
    }

    @AfterEach
    void close() throws IOException {
        store.close();
    }

    private Instant look() {
        Error failure = nextLookFails;
        nextLookFails = null;
        if (failure != null) {
            throw failure;
        }
        looksAtTheClock.add(now);
        return now;
    }

    @Test
    void aWriteThatCannotBeHandledFailsAloneAndTheOthersOfItsBatchAreStored() throws Exception {
        Outcomes outcomes = new Outcomes();

        submitInOneBatch(
                write("a", "node-a", now, outcomes),
                write("b", "node-b", null, outcomes),
                write("c", "node-c", now, outcomes));

        assertThat(outcomes.next()).isEqualTo("a stored");
        assertThat(outcomes.next()).isEqualTo("b failed: a defect of exit137, see its log");
        assertThat(outcomes.next()).isEqualTo("c stored");
        assertThat(guard.counts()).containsExactly(entry("store", 1));
    }

    /** As after a repair by SQLite's .recover, which saves what can be read of each table. */
    @Test
    void anEventThatTheFileRefusesTakesNoOtherAgentsEventsAlong() throws Exception {
        Outcomes first = new Outcomes();
        Outcomes second = new Outcomes();
        store.submit(write("a", "node-a", now, first));
        assertThat(first.next()).isEqualTo("a stored");
        try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + dataDir.resolve("events.db"))) {
            connection.createStatement().execute("DELETE FROM known_id");
        }

        submitInOneBatch(write("a", "node-a", now, first), write("b", "node-b", now, second));

        assertThat(first.next()).startsWith("a failed: ").contains("UNIQUE");
        assertThat(second.next()).isEqualTo("b stored");
    }

    @Test
    void aListenerThatThrowsKeepsNoOtherFromItsOutcome() throws Exception {
        Outcomes others = new Outcomes();
        AtomicInteger commits = new AtomicInteger();
        store.onCommit(commits::incrementAndGet);

        submitInOneBatch(write("a", "node-a", now, new Throwing()), write("b", "node-b", now, others));

        assertThat(others.next()).isEqualTo("b stored");
        // More than the queue holds: the room of what was thrown at is free again.
        for (int i = 0; i < 10; i++) {
            store.submit(large(i, others));
            assertThat(others.next()).isEqualTo("large-" + i + " stored");
        }
        store.close();
        assertThat(commits).hasValue(11);
        assertThat(guard.counts()).containsExactly(entry("store", 1));
    }

    @Test
    void aListenerOfCommitsThatThrowsLearnsOfTheNext() throws Exception {
        BlockingQueue<Long> commits = new LinkedBlockingQueue<>();
        store.onCommit(() -> {
            commits.add(store.lastRowId());
            throw new AssertionError("a defect of the test");
        });
        Outcomes outcomes = new Outcomes();
        for (String id : List.of("a", "b")) {
            store.submit(write(id, "node-a", now, outcomes));
            assertThat(outcomes.next()).isEqualTo(id + " stored");
        }

        assertThat(commits.poll(LIMIT_SECONDS, TimeUnit.SECONDS)).isEqualTo(1);
        assertThat(commits.poll(LIMIT_SECONDS, TimeUnit.SECONDS)).isEqualTo(2);
        store.close();
        assertThat(guard.counts()).containsExactly(entry("store", 2));
    }

    @Test
    void whatIsOnTheDiskIsAcknowledgedAndAnnouncedThoughItCannotBeCounted() throws Exception {
        Outcomes outcomes = new Outcomes();
        store.submit(write("a", "node-a", now, outcomes));
        assertThat(outcomes.next()).isEqualTo("a stored");

        nextLookFails = new AssertionError("a defect of the test");
        store.submit(write("b", "node-a", now, outcomes));

        assertThat(outcomes.next()).isEqualTo("b stored");
        assertThat(store.events()).isEqualTo(2);
        store.close();
        assertThat(store.lastRowId()).isEqualTo(2);
        assertThat(guard.counts()).containsExactly(entry("store", 1));
    }

    @Test
    void retentionGoesOnAfterItsTimerHasThrown() throws Exception {
        store.close();
        nextLookFails = new AssertionError("a defect of the test");
        open(new Retention(Duration.ofSeconds(10), Retention.ANY_SIZE));
        Outcomes outcomes = new Outcomes();
        store.submit(write("a", "node-a", now, outcomes));
        assertThat(outcomes.next()).isEqualTo("a stored");
        awaitUpkeep();

        now = now.plusSeconds(11);
        awaitUpkeep();

        assertThat(store.removed()).isEqualTo(new RemovedEvents(1, 0));
        assertThat(guard.counts()).containsExactly(entry("upkeep", 1));
    }

    /** Until the upkeep has looked at the time as it is now, and has done what that asks for. */
    private void awaitUpkeep() throws Exception {
        // The first look may have begun before the time was changed.
        looksAtTheClock.clear();
        for (int i = 0; i < 2; i++) {
            assertThat(looksAtTheClock.poll(LIMIT_SECONDS, TimeUnit.SECONDS))
                    .as("the timer runs")
                    .isNotNull();
        }
        CountDownLatch done = new CountDownLatch(1);
        store.writerThread().execute(done::countDown);
        assertThat(done.await(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void aReadThatThrowsLeavesItsConnectionFitForTheNext() throws Exception {
        Outcomes outcomes = new Outcomes();
        store.submit(write("a", "node-a", now, outcomes));
        assertThat(outcomes.next()).isEqualTo("a stored");
        // More often than there are connections.
        for (int i = 0; i < 10; i++) {
            assertThatThrownBy(() -> store.scan(ALL, 0, 1, 1, event -> {
                        throw new AssertionError("a defect of the test");
                    }))
                    .hasMessage("a defect of the test");
        }

        List<String> read = new ArrayList<>();
        store.scan(ALL, 0, 1, 1, event -> read.add(event.event().getEventId()));

        assertThat(read).containsExactly("a");
    }

    @Test
    void aStoreThatIsClosedRefusesWhatItIsSentAndKeepsNobodyWaiting() throws Exception {
        store.close();
        Outcomes outcomes = new Outcomes();

        CompletableFuture<Void> sent = new CompletableFuture<>();
        Thread.startVirtualThread(() -> {
            try {
                for (int i = 0; i < 10; i++) {
                    store.submit(large(i, outcomes));
                }
                sent.complete(null);
            } catch (Throwable e) {
                sent.completeExceptionally(e);
            }
        });
        sent.get(LIMIT_SECONDS, TimeUnit.SECONDS);

        for (int i = 0; i < 10; i++) {
            assertThat(outcomes.next()).isEqualTo("large-" + i + " failed: the store is closed");
        }
        assertThat(outcomes.said).isEmpty();
    }

    /** Keeps the writer's thread busy until all are queued. */
    private void submitInOneBatch(StoreWrite... writes) throws InterruptedException {
        CountDownLatch queued = new CountDownLatch(1);
        store.writerThread().execute(() -> {
            try {
                queued.await(LIMIT_SECONDS, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        for (StoreWrite write : writes) {
            store.submit(write);
        }
        queued.countDown();
    }

    private static Map.Entry<String, Long> entry(String place, long count) {
        return Map.entry(place, count);
    }

    private StoreWrite large(int number, StoreWrite.Listener listener) {
        OomKillEvent event = event("large-" + number, "node-a");
        return new StoreWrite.Event(EventFacts.of(event), new byte[1 << 20], now, listener);
    }

    private static StoreWrite write(String id, String node, Instant receivedAt, StoreWrite.Listener listener) {
        OomKillEvent event = event(id, node);
        return new StoreWrite.Event(EventFacts.of(event), event.toByteArray(), receivedAt, listener);
    }

    private static OomKillEvent event(String id, String node) {
        return OomKillEvent.newBuilder()
                .setEventId(id)
                .setRevision(1)
                .setTime(Timestamps.fromNanos(0))
                .setNode(Node.newBuilder().setName(node))
                .build();
    }

    /** What became of each event, in that order. */
    private static final class Outcomes implements StoreWrite.Listener {
        private final BlockingQueue<String> said = new LinkedBlockingQueue<>();

        String next() throws InterruptedException {
            return said.poll(LIMIT_SECONDS, TimeUnit.SECONDS);
        }

        @Override
        public void committed(List<StoreWrite> writes) {
            writes.forEach(write -> said.add(id(write) + " stored"));
        }

        @Override
        public void failed(List<StoreWrite> writes, Exception cause) {
            writes.forEach(write -> said.add(id(write) + " failed: " + cause.getMessage()));
        }

        private static String id(StoreWrite write) {
            return ((StoreWrite.Event) write).facts().eventId();
        }
    }

    private static final class Throwing implements StoreWrite.Listener {
        @Override
        public void committed(List<StoreWrite> writes) {
            throw new AssertionError("a defect of the test");
        }

        @Override
        public void failed(List<StoreWrite> writes, Exception cause) {
            throw new AssertionError("a defect of the test", cause);
        }
    }
}
