package dev.exit137.aggregator.ingest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.aggregator.ManualCall;
import dev.exit137.aggregator.access.Caller;
import dev.exit137.aggregator.access.Refusals;
import dev.exit137.aggregator.peer.AnyPeer;
import dev.exit137.aggregator.store.EventStore;
import dev.exit137.aggregator.store.Retention;
import dev.exit137.proto.guard.Guard;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.PublishEventsRequest;
import dev.exit137.proto.v1.PublishEventsResponse;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.InstantSource;
import java.util.Collections;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IngestStreamTest {
  private final ManualCall<PublishEventsResponse> agent = new ManualCall<>();
  private final CountDownLatch ended = new CountDownLatch(1);
  @TempDir private Path dataDir;
  private EventStore store;
  private IngestStream stream;

  @BeforeEach
  void open() throws IOException {
    store = EventStore.open(dataDir, Retention.DEFAULT, InstantSource.system(), new Guard(), new PrometheusRegistry());
    stream = new IngestStream(
        store, agent, AnyPeer.unlimited(), Caller.ANYONE, new ConnectedNodes(), new Refusals(),
        which -> ended.countDown());
    agent.takes(Integer.MAX_VALUE);
    stream.open();
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
    ended.await();
    assertThat(agent.sent().stream().mapToInt(PublishEventsResponse::getAcksCount).sum()).isEqualTo(256);
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

  /** Sends an event for every one asked for, until no more is; returns how many. */
  private int sendWhatIsAskedFor(String filler, int fillers) {
    int sent = 0;
    while (sent < agent.requested()) {
      stream.onNext(event(sent++, filler, fillers));
    }
    return sent;
  }

  private static Published event(int number, String filler, int fillers) {
    return Published.of(
        PublishEventsRequest.newBuilder()
            .setEvent(
                OomKillEvent.newBuilder()
                    .setEventId("event-" + number)
                    .setRevision(1)
                    .setNode(Node.newBuilder().setName("node-a"))
                    .addAllRecommendations(Collections.nCopies(fillers, filler)))
            .build());
  }
}
