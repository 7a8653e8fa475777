package dev.exit137.aggregator.query;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.exit137.aggregator.ManualCall;
import dev.exit137.aggregator.TestClock;
import dev.exit137.aggregator.access.Caller;
import dev.exit137.aggregator.ingest.ConnectedNodes;
import dev.exit137.aggregator.server.GuardedCalls;
import dev.exit137.aggregator.server.Refusals;
import dev.exit137.aggregator.store.EventFacts;
import dev.exit137.aggregator.store.EventQuery;
import dev.exit137.aggregator.store.EventStore;
import dev.exit137.aggregator.store.ResumeToken;
import dev.exit137.aggregator.store.Retention;
import dev.exit137.aggregator.store.RowsRemovedException;
import dev.exit137.aggregator.store.StoreWrite;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.EventFilter;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.WatchEventsRequest;
import dev.exit137.proto.v1.WatchEventsResponse;
import io.grpc.Status;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

class EventWatchTest {
    private static final InstantSource CLOCK = InstantSource.fixed(Instant.parse("2001-02-03T04:05:06Z"));

    private final ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(1);
    private final Refusals refusals = new Refusals();
    private final Guard guard = new Guard();
    private final List<EventWatch<OomKillEvent, WatchEventsResponse>> forgotten = new ArrayList<>();
    private final ManualCall<WatchEventsResponse> consumer = new ManualCall<>();

    @TempDir
    private Path dataDir;

    private EventStore store;

    @BeforeEach
    void open() throws IOException {
        timer.setRemoveOnCancelPolicy(true);
        store = EventStore.open(
                dataDir, new Retention(Retention.ANY_AGE, 8 << 20), CLOCK, guard, new PrometheusRegistry());
    }

    @AfterEach
    void close() throws IOException {
        timer.shutdownNow();
        store.close();
    }

    @Test
    void aConsumerThatIsNotReadyIsSentNothingAndLaterWhatItTakes() throws InterruptedException {
        store(1000);
        EventWatch<OomKillEvent, WatchEventsResponse> watch = watch();

        consumer.takes(0);
        watch.open();
        assertThat(consumer.sent()).isEmpty();

        // The heartbeat that says that the watch is on, and two events.
        consumer.takes(3);
        assertThat(consumer.sent()).hasSize(3);

        consumer.takes(Integer.MAX_VALUE);
        assertThat(consumer.sent()).hasSize(1001);
        assertThat(consumer.sent().stream()
                        .filter(WatchEventsResponse::hasEvent)
                        .map(m -> m.getEvent().getEventId()))
                .doesNotHaveDuplicates();
    }

    @Test
    @Timeout(value = 5, unit = TimeUnit.MINUTES)
    void fiftyConsumersThatStopReadingHoldNothingWhileFiveThousandEventsFlowAndMissNone() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(2);
        List<ManualCall<WatchEventsResponse>> consumers =
                Stream.generate(ManualCall<WatchEventsResponse>::new).limit(50).toList();
        try (Watches watches = new Watches(store, threads, timer, CLOCK, refusals, guard)) {
            OomEventsService service = new OomEventsService(store, new ConnectedNodes(), watches, guard);
            for (ManualCall<WatchEventsResponse> stopped : consumers) {
                service.watchEvents(WatchEventsRequest.getDefaultInstance(), stopped);
                stopped.takes(10);
            }

            store(5000);

            for (ManualCall<WatchEventsResponse> stopped : consumers) {
                stopped.awaitSent(10);
            }
            assertThat(consumers)
                    .as("the greeting and 9 events each")
                    .allMatch(stopped -> stopped.sent().size() == 10);
            for (ManualCall<WatchEventsResponse> goesOn : consumers.subList(0, 3)) {
                goesOn.takes(Integer.MAX_VALUE);
                goesOn.awaitSent(5001);
                assertThat(goesOn.sent().stream()
                                .skip(1)
                                .map(message -> message.getEvent().getEventId())
                                .toList())
                        .isEqualTo(IntStream.range(0, 5000)
                                .mapToObj(i -> "event-" + i)
                                .toList());
            }
            assertThat(consumers.subList(3, 50))
                    .allMatch(stopped -> stopped.sent().size() == 10);
        } finally {
            threads.shutdown();
        }
    }

    @Test
    void aWatchThatItsConsumerLeftIsForgottenAndSendsNothingMore() throws InterruptedException {
        EventWatch<OomKillEvent, WatchEventsResponse> watch = watch();
        watch.open();
        consumer.takes(1);

        consumer.cancel();
        store(1);
        watch.signal();

        assertThat(consumer.sent()).hasSize(1);
        assertThat(consumer.end()).as("nobody is there to be told").isNull();
    }

    @Test
    void aStoreThatCannotBeReadEndsTheWatchAsUnavailable() throws SQLException, InterruptedException {
        consumer.takes(Integer.MAX_VALUE);
        EventWatch<OomKillEvent, WatchEventsResponse> watch = watch();
        watch.open();
        store(1);
        try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + dataDir.resolve("events.db"))) {
            connection.createStatement().execute("UPDATE event SET body = x'ff'");
        }

        watch.signal();

        assertThat(consumer.end().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
    }

    @Test
    void aWatchThatRetentionOvertakesWhileItsConsumerReadsNothingEndsAndNothingIsSkipped() throws InterruptedException {
        store(3);
        EventWatch<OomKillEvent, WatchEventsResponse> watch = watch();
        consumer.takes(2);
        watch.open();
        assertThat(consumer.sent().getLast().getEvent().getEventId()).isEqualTo("event-0");

        store(300, "x".repeat(100_000));
        // Once this is stored, the room that the writes before it needed has been made.
        store(1);
        watch.signal();

        assertThat(store.removedUpTo()).isGreaterThan(3);
        assertThat(store.removed().bySize()).isEqualTo(store.removedUpTo());
        assertThat(consumer.end().getCode()).isEqualTo(Status.Code.OUT_OF_RANGE);
        assertThat(consumer.sent()).hasSize(2);
    }

    @Test
    void aReadThatRetentionOvertakesInItsFirstMomentFails() throws InterruptedException {
        store(300, "x".repeat(100_000));
        store(1);
        EventQuery<OomKillEvent> all = EventQuery.of(EventFilter.getDefaultInstance());

        assertThatThrownBy(() -> store.scan(all, store.removedUpTo() - 1, store.lastRowId(), 1, event -> true))
                .isInstanceOf(RowsRemovedException.class);
        assertThatCode(() -> store.scan(all, store.removedUpTo(), store.lastRowId(), 1, event -> true))
                .doesNotThrowAnyException();
    }

    @Test
    void aWatchThatEndsBeforeItIsOpenIsClosedAndForgotten() {
        EventWatch<OomKillEvent, WatchEventsResponse> watch = watch();
        Status stopping = Status.UNAVAILABLE.withDescription("the aggregator is stopping");

        watch.end(stopping);
        watch.open();

        assertThat(consumer.end()).isEqualTo(stopping);
        assertThat(forgotten).containsExactly(watch);
        assertThat(guard.counts()).isEmpty();
        assertThat(timer.shutdownNow()).as("timers that are left").isEmpty();
    }

    @Test
    void aTurnThatFailsAsNobodyExpectedEndsItsWatchAsInternalAndIsCounted() {
        InstantSource broken = () -> {
            throw new LinkageError("nobody expected this");
        };
        consumer.takes(Integer.MAX_VALUE);
        EventWatch<OomKillEvent, WatchEventsResponse> watch = watch(broken, Runnable::run, Caller.ANYONE);

        watch.open();

        assertThat(consumer.end()).isEqualTo(GuardedCalls.FAILURE);
        assertThat(forgotten).containsExactly(watch);
        assertThat(guard.counts()).isEqualTo(Map.of("watch", 1L));
        assertThat(timer.shutdownNow()).as("timers that are left").isEmpty();
    }

    @Test
    void aTurnThatNoThreadTakesLosesThatTurnAlone() {
        AtomicInteger rejections = new AtomicInteger(1);
        Executor busy = turn -> {
            if (rejections.getAndDecrement() > 0) {
                throw new RejectedExecutionException("no thread could be started");
            }
            turn.run();
        };
        consumer.takes(Integer.MAX_VALUE);
        EventWatch<OomKillEvent, WatchEventsResponse> watch = watch(CLOCK, busy, Caller.ANYONE);

        watch.open();
        assertThat(consumer.sent()).isEmpty();
        watch.signal();

        assertThat(consumer.sent()).hasSize(1);
        assertThat(consumer.end()).isNull();
        assertThat(guard.counts()).isEqualTo(Map.of("watch", 1L));
    }

    @Test
    void aWatchOfWhichTheTimerTakesNothingMoreEndsAsInternal() {
        timer.shutdownNow();
        EventWatch<OomKillEvent, WatchEventsResponse> watch = watch();

        watch.open();

        assertThat(consumer.end()).isEqualTo(GuardedCalls.FAILURE);
        assertThat(forgotten).containsExactly(watch);
    }

    @Test
    void aCallThatCanNeitherBeSentToNorEndedHarmsNobodyAndItsWatchIsForgotten() throws InterruptedException {
        consumer.takes(Integer.MAX_VALUE);
        EventWatch<OomKillEvent, WatchEventsResponse> watch = watch();
        watch.open();
        store(1);
        consumer.breaks();
        consumer.cannotEnd();

        watch.signal();

        assertThat(forgotten).containsExactly(watch);
        assertThat(guard.counts()).as("what was sent to it, and its end").isEqualTo(Map.of("watch", 2L));
    }

    @Test
    void aWatchEndsWhenTheCertificateOrTokenOfItsCallerHasEndedAndThatIsCountedOnce() {
        TestClock clock = new TestClock(CLOCK.instant());
        Caller caller = new Caller(
                Set.of("on-call.example"),
                false,
                Set.of(),
                true,
                CLOCK.instant().plusSeconds(3600));
        List<Runnable> turns = new ArrayList<>();
        EventWatch<OomKillEvent, WatchEventsResponse> watch = watch(clock, turns::add, caller);
        watch.open();
        clock.advance(Duration.ofHours(1));
        watch.endIfUnproven();
        turns.removeFirst().run();
        assertThat(consumer.end()).isNull();

        clock.advance(Duration.ofSeconds(1));
        watch.endIfUnproven();
        watch.endIfUnproven();
        turns.removeFirst().run();

        assertThat(consumer.end().getCode()).isEqualTo(Status.Code.UNAUTHENTICATED);
        assertThat(consumer.end().getDescription())
                .isEqualTo(
                        "the token or certificate with which this stream began ended at 2001-02-03T05:05:06Z; connect again");
        assertThat(refusals.count(Refusals.Reason.UNAUTHENTICATED)).isEqualTo(1);
    }

    private EventWatch<OomKillEvent, WatchEventsResponse> watch() {
        return watch(CLOCK, Runnable::run, Caller.ANYONE);
    }

    private EventWatch<OomKillEvent, WatchEventsResponse> watch(InstantSource clock, Executor executor, Caller caller) {
        return new EventWatch<>(
                new EventWatch.Shared(store, executor, timer, clock, refusals, guard),
                EventQuery.of(EventFilter.getDefaultInstance()),
                ResumeToken.after(store.id(), 0),
                TimeUnit.MINUTES.toNanos(10),
                OomEventsService.WATCH,
                consumer,
                caller,
                forgotten::add);
    }

    private void store(int count) throws InterruptedException {
        store(count, "");
    }

    private void store(int count, String filler) throws InterruptedException {
        CountDownLatch stored = new CountDownLatch(count);
        StoreWrite.Listener listener = new StoreWrite.Listener() {
            @Override
            public void committed(List<StoreWrite> writes) {
                writes.forEach(write -> stored.countDown());
            }

            @Override
            public void failed(List<StoreWrite> writes, Exception cause) {
                throw new AssertionError(cause);
            }
        };
        for (int i = 0; i < count; i++) {
            Node node = Node.newBuilder().setName("node-a").build();
            OomKillEvent event = OomKillEvent.newBuilder()
                    .setEventId((filler.isEmpty() ? "event-" : "large-") + i)
                    .setRevision(1)
                    .setNode(node)
                    .setExplanation(filler)
                    .build();
            store.submit(new StoreWrite.Event(EventFacts.of(event), event.toByteArray(), Instant.EPOCH, listener));
        }
        assertThat(stored.await(30, TimeUnit.SECONDS)).isTrue();
    }
}
