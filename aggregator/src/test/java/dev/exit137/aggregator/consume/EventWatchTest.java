package dev.exit137.aggregator.consume;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.exit137.aggregator.ManualCall;
import dev.exit137.aggregator.ingest.ConnectedNodes;
import dev.exit137.aggregator.store.EventQuery;
import dev.exit137.aggregator.store.EventStore;
import dev.exit137.aggregator.store.ResumeToken;
import dev.exit137.aggregator.store.Retention;
import dev.exit137.aggregator.store.RowsRemovedException;
import dev.exit137.aggregator.store.StoreWrite;
import dev.exit137.proto.guard.Guard;
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
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

class EventWatchTest {
  private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
  private final ManualCall<WatchEventsResponse> consumer = new ManualCall<>();
  @TempDir private Path dataDir;
  private EventStore store;

  @BeforeEach
  void open() throws IOException {
    store = EventStore.open(dataDir, new Retention(Retention.ANY_AGE, 8 << 20), InstantSource.system(), new Guard(), new PrometheusRegistry());
  }

  @AfterEach
  void close() throws IOException {
    timer.shutdownNow();
    store.close();
  }

  @Test
  void aConsumerThatIsNotReadyIsSentNothingAndLaterWhatItTakes() throws InterruptedException {
    store(1000);
    EventWatch watch = watch();

    consumer.takes(0);
    watch.open();
    assertThat(consumer.sent()).isEmpty();

    // The heartbeat that says that the watch is on, and two events.
    consumer.takes(3);
    assertThat(consumer.sent()).hasSize(3);

    consumer.takes(Integer.MAX_VALUE);
    assertThat(consumer.sent()).hasSize(1001);
    assertThat(consumer.sent().stream().filter(WatchEventsResponse::hasEvent).map(m -> m.getEvent().getEventId()))
        .doesNotHaveDuplicates();
  }

  @Test
  @Timeout(value = 5, unit = TimeUnit.MINUTES)
  void fiftyConsumersThatStopReadingHoldNothingWhileFiveThousandEventsFlowAndMissNone() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(2);
    List<ManualCall<WatchEventsResponse>> consumers =
        Stream.generate(ManualCall<WatchEventsResponse>::new).limit(50).toList();
    try (OomEventsService service = new OomEventsService(store, new ConnectedNodes(), threads, timer, new Guard())) {
      for (ManualCall<WatchEventsResponse> stopped : consumers) {
        service.watchEvents(WatchEventsRequest.getDefaultInstance(), stopped);
        stopped.takes(10);
      }

      store(5000);

      for (ManualCall<WatchEventsResponse> stopped : consumers) {
        stopped.awaitSent(10);
      }
      assertThat(consumers).as("the greeting and 9 events each").allMatch(stopped -> stopped.sent().size() == 10);
      for (ManualCall<WatchEventsResponse> goesOn : consumers.subList(0, 3)) {
        goesOn.takes(Integer.MAX_VALUE);
        goesOn.awaitSent(5001);
        assertThat(goesOn.sent().stream().skip(1).map(message -> message.getEvent().getEventId()).toList())
            .isEqualTo(IntStream.range(0, 5000).mapToObj(i -> "event-" + i).toList());
      }
      assertThat(consumers.subList(3, 50)).allMatch(stopped -> stopped.sent().size() == 10);
    } finally {
      threads.shutdown();
    }
  }

  @Test
  void aWatchThatItsConsumerLeftIsForgottenAndSendsNothingMore() throws InterruptedException {
    EventWatch watch = watch();
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
    EventWatch watch = watch();
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
    EventWatch watch = watch();
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
    EventQuery all = EventQuery.of(EventFilter.getDefaultInstance());

    assertThatThrownBy(() -> store.scan(all, store.removedUpTo() - 1, store.lastRowId(), 1, event -> true))
        .isInstanceOf(RowsRemovedException.class);
    assertThatCode(() -> store.scan(all, store.removedUpTo(), store.lastRowId(), 1, event -> true))
        .doesNotThrowAnyException();
  }

  private EventWatch watch() {
    return new EventWatch(
        store,
        EventQuery.of(EventFilter.getDefaultInstance()),
        ResumeToken.after(store.id(), 0),
        TimeUnit.MINUTES.toNanos(10),
        consumer,
        Runnable::run,
        timer,
        ended -> {});
  }

  private void store(int count) throws InterruptedException {
    store(count, "");
  }

  private void store(int count, String filler) throws InterruptedException {
    CountDownLatch stored = new CountDownLatch(count);
    StoreWrite.Listener listener =
        new StoreWrite.Listener() {
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
      OomKillEvent event =
          OomKillEvent.newBuilder()
              .setEventId((filler.isEmpty() ? "event-" : "large-") + i)
              .setRevision(1)
              .setNode(node)
              .setExplanation(filler)
              .build();
      store.submit(new StoreWrite.Event(event, event.toByteArray(), Instant.EPOCH, listener));
    }
    assertThat(stored.await(30, TimeUnit.SECONDS)).isTrue();
  }
}
