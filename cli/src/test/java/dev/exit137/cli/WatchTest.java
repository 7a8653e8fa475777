package dev.exit137.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import dev.exit137.cli.client.AggregatorClient;
import dev.exit137.cli.client.EventStream;
import dev.exit137.cli.client.HostPort;
import dev.exit137.cli.client.KillWatch;
import dev.exit137.cli.render.EventPrinter;
import dev.exit137.cli.render.OutputFormat;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.tls.ClientSecurity;
import dev.exit137.proto.v1.EventFilter;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.WatchEventsRequest;
import io.grpc.Status;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class WatchTest {
    private static final Duration PATIENCE = Duration.ofMinutes(1);

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
        assertThat(aggregator.nextWatch())
                .isEqualTo(WatchEventsRequest.newBuilder()
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
        aggregator.store(Events.inCgroup(7)
                .setExplanation("The kernel killed it\u001b[2J.")
                .build());
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
        assertThat(aggregator.nextWatch().getResumeToken()).isEqualTo("store1/1");
        assertThat(session.out()).isEmpty();
    }

    @Test
    void anAggregatorThatBothKindsLoseIsSaidOnceToBeLostAndOnceToBeBack() throws Exception {
        watch("text");
        aggregator.exits.nextWatch();
        aggregator.stop();
        assertThat(session.nextErrorLine()).contains("lost the aggregator");
        aggregator.start();
        aggregator.nextWatch();
        aggregator.exits.nextWatch();
        assertThat(session.nextErrorLine()).contains("connected again");
        // Nothing was said in between, and nothing comes after it.
        aggregator.stop();
        assertThat(session.nextErrorLine()).contains("lost the aggregator");
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
        assertThat(aggregator.nextWatch().getResumeToken()).isEqualTo("store1/1");
        assertThat(aggregator.nextWatch().getFromTime()).isEqualTo(Events.TIME);
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
        assertThat(aggregator.nextWatch().getResumeToken()).isEqualTo("store1/1");
        assertThat(aggregator.nextWatch().getResumeToken()).isEqualTo("store1/3");
    }

    @Test
    void aWatchWhoseTokenEndedGoesOnWithTheOneThatItsFileHoldsNow() throws Exception {
        watch();
        aggregator.store(Events.inCgroup(1).build());
        session.nextLine();

        aggregator.end(Status.UNAUTHENTICATED.withDescription("the token ended"), false);
        aggregator.store(Events.inCgroup(2).build());

        assertThat(session.nextErrorLine())
                .isEqualTo("exit137: lost the aggregator at " + aggregator.address()
                        + ": the token ended; trying again with what the files of this side hold now");
        assertThat(session.nextLine()).contains("boot/kmsg/2");
        assertThat(aggregator.nextWatch().getResumeToken()).isEqualTo("store1/1");
    }

    @Test
    void aWatchWhoseTokenEndedAndThatHasNoOtherEndsWithTheReason() throws Exception {
        CompletableFuture<Integer> exitCode = watch();
        aggregator.store(Events.inCgroup(1).build());
        session.nextLine();

        aggregator.end(Status.UNAUTHENTICATED.withDescription("the token ended"), true);

        assertThat(exitCode.get(60, TimeUnit.SECONDS)).isEqualTo(1);
        assertThat(session.err()).last().asString().contains("refused: the token ended (UNAUTHENTICATED)");
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
        try (AggregatorClient client =
                        new AggregatorClient(HostPort.parse(aggregator.address()), ClientSecurity.PLAINTEXT);
                EventStream<OomKillEvent> stream = stream(client, Duration.ofMillis(1))) {
            aggregator.greets = false;
            aggregator.store(Events.inCgroup(1).build());
            stream.connect();
            session.stop.request();
            assertThat(stream.next(Duration.ofMinutes(1))).isEmpty();
            assertThat(stream.resumeToken()).isEmpty();
        }
    }

    /** Its time is later than any that JSON has. */
    private static OomKillEvent.Builder unprintable(int pid) {
        return Events.inCgroup(pid).setTime(Timestamp.newBuilder().setSeconds(Long.MAX_VALUE));
    }

    @Test
    void anEventThatCannotBePrintedEndsAWatchWithItsIdAndTheTokenToGoOnWith() throws Exception {
        CompletableFuture<Integer> exitCode = watch();
        aggregator.store(unprintable(1).build());
        assertThat(exitCode.get()).isEqualTo(1);
        assertThat(session.err())
                .startsWith(
                        "exit137: to go on from here: --resume-token store1/1",
                        "exit137: a defect of exit137, please report it:")
                .anyMatch(line -> line.endsWith("event boot/kmsg/1 cannot be printed"));
    }

    @Test
    void anAggregatorThatRefusesToGoOnEndsAWatchWithTheTokenToGoOnWith() throws Exception {
        CompletableFuture<Integer> exitCode = watch();
        aggregator.store(Events.inCgroup(1).build());
        session.nextLine();
        aggregator.end(Status.PERMISSION_DENIED, true);
        assertThat(exitCode.get()).isEqualTo(1);
        assertThat(session.err())
                .containsExactly(
                        "exit137: to go on from here: --resume-token store1/1",
                        "exit137: the aggregator at " + aggregator.address()
                                + " refused: no reason given (PERMISSION_DENIED)");
    }

    @Test
    void aDaemonCountsAnEventThatCannotBePrintedAndPrintsTheNext() throws Exception {
        Guard guard = new Guard();
        try (AggregatorClient client =
                        new AggregatorClient(HostPort.parse(aggregator.address()), ClientSecurity.PLAINTEXT);
                EventStream<OomKillEvent> stream = stream(client, Duration.ofMillis(1))) {
            Thread printing = printAll(stream, guard);
            aggregator.store(unprintable(1).build());
            aggregator.store(Events.inCgroup(2).build());
            assertThat(session.nextLine()).contains("boot/kmsg/2");
            assertThat(guard.counts()).containsExactlyEntriesOf(Map.of("output", 1L));
            session.stop.request();
            assertThat(printing.join(PATIENCE)).isTrue();
        }
    }

    @Test
    void aDaemonTriesAgainAfterADefectOfItsStreamAndNotAtOnce() throws Exception {
        Guard guard = new Guard();
        try (EventStream<OomKillEvent> stream = stream(null, Duration.ofHours(1))) {
            Thread printing = printAll(stream, guard);
            long start = System.nanoTime();
            while (guard.counts().isEmpty() || printing.getState() != Thread.State.TIMED_WAITING) {
                assertThat(System.nanoTime() - start).isLessThan(PATIENCE.toNanos());
                Thread.onSpinWait();
            }
            assertThat(guard.counts()).containsExactlyEntriesOf(Map.of("output", 1L));
            session.stop.request();
            assertThat(printing.join(PATIENCE)).isTrue();
        }
    }

    private EventStream<OomKillEvent> stream(AggregatorClient client, Duration firstBackoff) {
        return new EventStream<>(
                client,
                session.terminal(),
                new KillWatch(
                        WatchEventsRequest.newBuilder().setFromTime(Events.TIME).build()),
                firstBackoff);
    }

    private Thread printAll(EventStream<OomKillEvent> stream, Guard guard) {
        return Thread.ofPlatform().daemon().start(() -> {
            try {
                new EventPrinter(session.terminal(), OutputFormat.JSON).printAll(stream, guard);
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
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
        assertThat(session.err())
                .containsExactly("exit137: cannot reach the aggregator at " + aggregator.address()
                        + ": Connection refused; is it running? (--server)");
    }

    @Test
    void aMalformedTokenIsBadUsageInTheAggregatorsOwnWords() {
        int exitCode = session.run("watch", "--resume-token", "rubbish", "--server", aggregator.address());
        assertThat(exitCode).isEqualTo(2);
        assertThat(session.err())
                .containsExactly(
                        "exit137: the aggregator at " + aggregator.address() + " refused: resume_token is malformed");
    }

    @Test
    void aTokenOfAnotherStoreGivenByThePersonIsRefusedAndNotReplacedByAGuess() {
        int exitCode = session.run("watch", "--resume-token", "store9/1", "--server", aggregator.address());
        assertThat(exitCode).isEqualTo(1);
        assertThat(session.err())
                .containsExactly("exit137: the aggregator at " + aggregator.address()
                        + " refused: resume_token is of another store (OUT_OF_RANGE)");
    }

    @Test
    void aStartByTokenAndByTimeAtOnceIsBadUsage() {
        assertThat(session.run("watch", "--resume-token", "a", "--from", "1h")).isEqualTo(2);
        assertThat(session.err()).first().asString().contains("--from and --resume-token exclude each other");
    }
}
