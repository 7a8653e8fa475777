package dev.exit137.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.cli.client.AggregatorClient;
import dev.exit137.cli.client.EventStream;
import dev.exit137.cli.options.HostPort;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.proto.security.ClientSecurity;
import dev.exit137.proto.v1.EventFilter;
import dev.exit137.proto.v1.WatchEventsRequest;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Duration;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class WatchTest {
  private final FakeAggregator aggregator = new FakeAggregator();
  private final Session session = new Session();

  @AfterEach
  void close() throws Exception {
    session.stop.request();
    aggregator.close();
  }

  private CompletableFuture<Integer> watch() throws InterruptedException {
    return watch("json");
  }

  private CompletableFuture<Integer> watch(String format) throws InterruptedException {
    CompletableFuture<Integer> exitCode = session.start("watch", "-o", format, "--server", aggregator.address());
    assertThat(aggregator.watches.take()).isEqualTo(WatchEventsRequest.newBuilder()
        .setFilter(EventFilter.getDefaultInstance())
        .build());
    return exitCode;
  }

  @Test
  void anEventIsOnStdoutAsOneLineAsSoonAsItIsStored() throws Exception {
    watch();
    aggregator.store(Events.inCgroup(7).build());
    assertThat(session.nextLine())
        .startsWith("{\"eventId\":\"boot/kmsg/7\"")
        .contains("\"anonRssBytes\":\"32768000\"");
  }

  @Test
  void anEventIsOneLineAndTheSentenceThatExplainsIt() throws Exception {
    watch("text");
    aggregator.store(Events.inCgroup(7).setExplanation("The kernel killed it\u001b[2J.").build());
    assertThat(session.nextLine()).startsWith("TIME (UTC)");
    assertThat(session.nextLine()).contains("tail(7)");
    assertThat(session.nextLine()).isEqualTo("  The kernel killed it\\x1b[2J.");
  }

  @Test
  void whatWasStoredWhileTheConnectionWasBrokenComesAfterItOnceAndNothingComesTwice() throws Exception {
    watch();
    aggregator.store(Events.inCgroup(1).build());
    assertThat(session.nextLine()).contains("boot/kmsg/1");

    aggregator.stop();
    assertThat(session.nextErrorLine())
        .contains("lost the aggregator at " + aggregator.address())
        .contains("trying again");
    aggregator.store(Events.inCgroup(2).build());
    aggregator.start();

    assertThat(session.nextLine()).contains("boot/kmsg/2");
    assertThat(session.nextErrorLine()).contains("connected again");
    assertThat(aggregator.watches.take().getResumeToken()).isEqualTo("store1/1");
    assertThat(session.out()).isEmpty();
  }

  @Test
  void anAggregatorThatComesBackWithAnEmptyStoreIsFollowedFromTheLastSignOfLifeAndThatIsSaid() throws Exception {
    watch();
    aggregator.store(Events.inCgroup(1).build());
    session.nextLine();
    aggregator.stop();
    session.nextErrorLine();
    aggregator.forgetEverything();
    aggregator.store(Events.inCgroup(3).build());
    aggregator.start();

    assertThat(session.nextLine()).contains("boot/kmsg/3");
    assertThat(session.nextErrorLine()).contains("another store");
    assertThat(aggregator.watches.take().getResumeToken()).isEqualTo("store1/1");
    assertThat(aggregator.watches.take().getFromTime()).isEqualTo(Events.TIME);
  }

  @Test
  void aWatchThatRetentionHasOvertakenSaysSoAndGoesOnWithTheOldestThatIsLeft() throws Exception {
    watch();
    aggregator.store(Events.inCgroup(1).build());
    session.nextLine();
    aggregator.stop();
    session.nextErrorLine();
    for (int i = 2; i <= 4; i++) {
      aggregator.store(Events.inCgroup(i).build());
    }
    aggregator.remove(3);
    aggregator.start();

    assertThat(session.nextLine()).contains("boot/kmsg/4");
    assertThat(session.nextErrorLine()).contains("removed events before they were read here");
    assertThat(aggregator.watches.take().getResumeToken()).isEqualTo("store1/1");
    assertThat(aggregator.watches.take().getResumeToken()).isEqualTo("store1/3");
  }

  @Test
  void ctrlCEndsAWatchWithExitCodeZeroAndTheTokenToGoOnWith() throws Exception {
    CompletableFuture<Integer> exitCode = watch();
    aggregator.store(Events.inCgroup(1).build());
    session.nextLine();
    session.stop.request();
    assertThat(exitCode.get()).isZero();
    assertThat(session.err()).containsExactly("exit137: to go on from here: --resume-token store1/1");
  }

  @Test
  void ctrlCEndsAWatchThatIsWaitingForTheAggregatorToComeBack() throws Exception {
    CompletableFuture<Integer> exitCode = watch();
    aggregator.store(Events.inCgroup(1).build());
    session.nextLine();
    aggregator.stop();
    session.nextErrorLine();
    session.stop.request();
    assertThat(exitCode.get()).isZero();
  }

  @Test
  void anEventThatCameButWasNotPrintedBeforeCtrlCComesAgainWithTheTokenOfThatEnd() throws Exception {
    try (AggregatorClient client = new AggregatorClient(HostPort.parse(aggregator.address()), ClientSecurity.PLAINTEXT);
        EventStream stream = new EventStream(
            client,
            new Terminal(System.out, System.err, Map.of(), InstantSource.system(), ZoneOffset.UTC, session.stop),
            WatchEventsRequest.newBuilder().setFromTime(Events.TIME).build(),
            Duration.ofMillis(1))) {
      aggregator.greets = false;
      aggregator.store(Events.inCgroup(1).build());
      stream.connect();
      session.stop.request();
      assertThat(stream.next(Duration.ofMinutes(1))).isEmpty();
      assertThat(stream.resumeToken()).isEmpty();
    }
  }

  @Test
  void ctrlCBeforeTheConnectionIsMadeIsNotAFailure() {
    session.stop.request();
    assertThat(session.run("watch", "--server", aggregator.address())).isZero();
    assertThat(session.err()).noneMatch(line -> line.contains("refused"));
  }

  @Test
  void aClosedPipeEndsAWatchQuietly() throws Exception {
    OutputStream closed = new OutputStream() {
      @Override
      public void write(int b) throws IOException {
        throw new IOException("Broken pipe");
      }
    };
    aggregator.store(Events.inCgroup(1).build());
    int exitCode = session.run(closed, "watch", "--from", "1h", "--server", aggregator.address());
    assertThat(exitCode).isZero();
    assertThat(session.err()).isEmpty();
  }

  @Test
  void anAggregatorThatIsNotThereAtTheStartEndsAWatchAtOnceWithOneLine() throws Exception {
    aggregator.stop();
    assertThat(session.run("watch", "--server", aggregator.address())).isEqualTo(1);
    assertThat(session.err()).containsExactly("exit137: cannot reach the aggregator at " + aggregator.address()
        + ": Connection refused; is it running? (--server)");
  }

  @Test
  void aMalformedTokenIsBadUsageInTheAggregatorsOwnWords() {
    int exitCode = session.run("watch", "--resume-token", "rubbish", "--server", aggregator.address());
    assertThat(exitCode).isEqualTo(2);
    assertThat(session.err()).containsExactly(
        "exit137: the aggregator at " + aggregator.address() + " refused: resume_token is malformed");
  }

  @Test
  void aTokenOfAnotherStoreGivenByThePersonIsRefusedAndNotReplacedByAGuess() {
    int exitCode = session.run("watch", "--resume-token", "store9/1", "--server", aggregator.address());
    assertThat(exitCode).isEqualTo(1);
    assertThat(session.err()).containsExactly("exit137: the aggregator at " + aggregator.address()
        + " refused: resume_token is of another store (OUT_OF_RANGE)");
  }

  @Test
  void aStartByTokenAndByTimeAtOnceIsBadUsage() {
    assertThat(session.run("watch", "--resume-token", "a", "--from", "1h")).isEqualTo(2);
    assertThat(session.err()).first().asString().contains("--from and --resume-token exclude each other");
  }
}
