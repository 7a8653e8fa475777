package dev.exit137.aggregator;

import static dev.exit137.aggregator.Fixture.event;
import static dev.exit137.aggregator.Fixture.events;
import static dev.exit137.aggregator.Fixture.failureOf;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import dev.exit137.aggregator.Fixture.Watch;
import dev.exit137.aggregator.query.OomEventsService;
import dev.exit137.aggregator.store.Retention;
import dev.exit137.proto.v1.EventFilter;
import dev.exit137.proto.v1.ListEventsRequest;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.WatchEventsRequest;
import dev.exit137.proto.v1.WatchEventsResponse;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WatchEventsTest {
    // No heartbeat comes to its aid within a test's deadline, so only a commit can wake this watch.
    private static final WatchEventsRequest FROM_NOW = WatchEventsRequest.newBuilder()
            .setHeartbeatInterval(Duration.newBuilder().setSeconds(600))
            .build();
    private static final WatchEventsRequest FROM_THE_BEGINNING = WatchEventsRequest.newBuilder()
            .setFromTime(Timestamp.getDefaultInstance())
            .build();
    private static final Duration SHORTEST_HEARTBEAT =
            Duration.newBuilder().setNanos(100_000_000).build();

    @TempDir
    private Path dataDir;

    private Fixture fixture;

    @BeforeEach
    void start() throws IOException {
        fixture = new Fixture(dataDir.resolve("first"));
    }

    @AfterEach
    void stop() {
        fixture.close();
    }

    @Test
    void aWatchFromNowSeesWhatIsStoredAfterItsFirstHeartbeatAndNothingBefore() {
        fixture.publish(event(1));

        Watch watch = fixture.watch(FROM_NOW);
        fixture.publish(event(2));

        assertThat(watch.nextId()).isEqualTo("event-2");
    }

    @Test
    void noEventIsLostOrRepeatedBetweenHistoryAndLiveWhileAgentsPublish() throws Exception {
        fixture.publish(events(0, 300));
        Thread publisher = Thread.startVirtualThread(() -> fixture.publish(events(300, 1500)));

        List<String> ids = fixture.watch(FROM_THE_BEGINNING).nextIds(1500);

        publisher.join();
        assertThat(ids)
                .isEqualTo(IntStream.range(0, 1500).mapToObj(i -> "event-" + i).toList());
    }

    @Test
    void aWatchGoesOnWhereItsTokenStandsAfterTheAggregatorStartedAgain() throws IOException {
        Watch watch = fixture.watch(FROM_NOW);
        fixture.publish(events(0, 3));
        String token = watch.nextEvent().getResumeToken();

        fixture.close();
        fixture = new Fixture(dataDir.resolve("first"));
        fixture.publish(event(3));

        assertThat(fixture.watch(resume(token)).nextIds(3)).containsExactly("event-1", "event-2", "event-3");
    }

    @Test
    void aTokenOfAHeartbeatResumesAsWell() {
        fixture.publish(event(0));
        String token = fixture.consumer().watchEvents(FROM_NOW).next().getResumeToken();
        fixture.publish(event(1));

        assertThat(fixture.watch(resume(token)).nextId()).isEqualTo("event-1");
    }

    @Test
    void everyTokenOfAWatchInTheMiddleOfHistoryKeepsWhatItsFromTimeLeftOut() {
        // The recovered event 5 is stored between later ones.
        fixture.publish(event(3), event(20), event(5), event(21));

        WatchEventsRequest fromTen =
                WatchEventsRequest.newBuilder().setFromTime(event(10).getTime()).build();
        String token = fixture.watch(fromTen).nextEvent().getResumeToken();
        Watch resumed = fixture.watch(resume(token));
        fixture.publish(event(6));

        assertThat(resumed.nextIds(2))
                .as("old history stays out, what is stored now comes")
                .containsExactly("event-21", "event-6");
    }

    @Test
    void aTokenOfAnotherStoreIsOutOfRange() throws IOException {
        String token;
        try (Fixture other = new Fixture(dataDir.resolve("other"))) {
            token = other.consumer().watchEvents(FROM_NOW).next().getResumeToken();
        }

        Status status =
                failureOf(() -> fixture.consumer().watchEvents(resume(token)).next());

        assertThat(status.getCode()).isEqualTo(Status.Code.OUT_OF_RANGE);
        assertThat(status.getDescription()).startsWith("resume_token: ");
    }

    @Test
    void aTokenGivenBeforeTheStoreWasRestoredFromAnOlderCopyIsOutOfRange() throws IOException {
        Path live = dataDir.resolve("first");
        fixture.publish(event(1));
        fixture.close();
        Files.copy(live.resolve("events.db"), dataDir.resolve("backup"));
        fixture = new Fixture(live);
        fixture.publish(event(2));
        String token = fixture.consumer().watchEvents(FROM_NOW).next().getResumeToken();
        fixture.close();

        Files.copy(dataDir.resolve("backup"), live.resolve("events.db"), StandardCopyOption.REPLACE_EXISTING);
        fixture = new Fixture(live);

        Status status =
                failureOf(() -> fixture.consumer().watchEvents(resume(token)).next());
        assertThat(status.getCode()).isEqualTo(Status.Code.OUT_OF_RANGE);
    }

    @ParameterizedTest
    @ValueSource(strings = {"rubbish!", "cg", "AAAA", "event-1", "\u00e4"})
    void aMalformedTokenIsAnInvalidArgumentThatNamesTheField(String token) {
        Status status =
                failureOf(() -> fixture.consumer().watchEvents(resume(token)).next());

        assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(status.getDescription()).startsWith("resume_token: ");
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, 0, 99_000_000, 600_000_000_001L, Long.MAX_VALUE})
    void aHeartbeatIntervalOutOfRangeIsAnInvalidArgument(long nanos) {
        Duration interval = Duration.newBuilder()
                .setSeconds(nanos / 1_000_000_000)
                .setNanos((int) (nanos % 1_000_000_000))
                .build();

        Status status = failureOf(() -> fixture.consumer()
                .watchEvents(WatchEventsRequest.newBuilder()
                        .setHeartbeatInterval(interval)
                        .build())
                .next());

        assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(status.getDescription()).startsWith("heartbeat_interval: ");
    }

    @Test
    void heartbeatsOfAFilteredWatchMoveItsTokenPastEventsThatDoNotMatch() {
        Watch watch = fixture.watch(WatchEventsRequest.newBuilder()
                .setFilter(EventFilter.newBuilder().setNode("quiet"))
                .setHeartbeatInterval(SHORTEST_HEARTBEAT)
                .build());
        String before = watch.nextHeartbeat().getResumeToken();

        fixture.publish(events(0, 10));

        // Some heartbeats were on their way before the acknowledgement, and one may have been before the watch looked
        // on.
        Instant published = Instant.now();
        while (time(watch.nextHeartbeat()).isBefore(published)) {}
        String after = watch.nextHeartbeat().getResumeToken();
        assertThat(after).isNotEqualTo(before);
        fixture.publish(event("quiet one")
                .setNode(event(0).getNode().toBuilder().setName("quiet"))
                .build());
        assertThat(fixture.watch(resume(after)).nextId())
                .as("the ten are behind the token")
                .isEqualTo("quiet one");
    }

    @Test
    void aWatcherThatDoesNotReadKeepsNobodyWaitingAndMissesNothing() {
        Watch slow = fixture.watch(FROM_NOW);
        Watch fast = fixture.watch(FROM_NOW);
        String filler = "x".repeat(20_000);
        OomKillEvent[] large = IntStream.range(0, 500)
                .mapToObj(i -> event(i).toBuilder().setExplanation(filler).build())
                .toArray(OomKillEvent[]::new);

        fixture.publish(large);

        List<String> all = IntStream.range(0, 500).mapToObj(i -> "event-" + i).toList();
        assertThat(fast.nextIds(500)).isEqualTo(all);
        assertThat(slow.nextIds(500)).isEqualTo(all);
    }

    @Test
    void aTokenOlderThanRetentionIsOutOfRangeAndSaysWithWhichToGoOn() throws IOException {
        Retention eightMib = new Retention(Retention.ANY_AGE, 8 << 20);
        try (Fixture small = new Fixture(dataDir.resolve("small"), eightMib)) {
            Watch watch = small.watch(FROM_NOW);
            small.publish(events(0, 3));
            String token = watch.nextEvent().getResumeToken();
            String filler = "x".repeat(60_000);
            small.publish(IntStream.range(3, 300)
                    .mapToObj(i -> event(i).toBuilder().setExplanation(filler).build())
                    .toArray(OomKillEvent[]::new));
            small.publish(event(300));

            StatusRuntimeException failure = catchThrowableOfType(
                    StatusRuntimeException.class,
                    () -> small.consumer().watchEvents(resume(token)).next());

            assertThat(failure.getStatus().getCode()).isEqualTo(Status.Code.OUT_OF_RANGE);
            String oldest = failure.getTrailers().get(OomEventsService.OLDEST_RESUME_TOKEN);
            assertThat(failure.getStatus().getDescription())
                    .startsWith("resume_token: ")
                    .endsWith(oldest);
            List<String> left = small.list(
                            ListEventsRequest.newBuilder().setPageSize(1000).build())
                    .reversed();
            assertThat(left)
                    .as("the oldest are gone")
                    .hasSizeBetween(60, 200)
                    .last()
                    .isEqualTo("event-300");
            assertThat(small.watch(resume(oldest)).nextIds(left.size())).isEqualTo(left);
        }
    }

    @Test
    void aFilteredWatchSeesTheOrderOfOneThatIsNot() throws Exception {
        Watch all = fixture.watch(FROM_NOW);
        EventFilter onlyB = EventFilter.newBuilder().setNode("node-b").build();
        Watch filtered = fixture.watch(FROM_NOW.toBuilder().setFilter(onlyB).build());
        List<Thread> publishers = new ArrayList<>();
        for (String node : List.of("node-a", "node-b", "node-b", "node-c")) {
            int from = publishers.size() * 300;
            publishers.add(Thread.startVirtualThread(() -> fixture.publish(Stream.of(events(from, from + 300))
                    .map(event -> event.toBuilder()
                            .setNode(Node.newBuilder().setName(node))
                            .build())
                    .toArray(OomKillEvent[]::new))));
        }

        List<String> order = IntStream.range(0, 1200)
                .mapToObj(i -> all.nextEvent().getEvent())
                .filter(event -> event.getNode().getName().equals("node-b"))
                .map(OomKillEvent::getEventId)
                .toList();

        assertThat(filtered.nextIds(600)).isEqualTo(order);
        for (Thread publisher : publishers) {
            publisher.join();
        }
    }

    @Test
    void heartbeatsComeOneAfterTheOtherWhileNothingHappens() {
        Watch watch = fixture.watch(WatchEventsRequest.newBuilder()
                .setHeartbeatInterval(SHORTEST_HEARTBEAT)
                .build());

        for (int i = 0; i < 3; i++) {
            WatchEventsResponse heartbeat = watch.next();
            assertThat(heartbeat.getHeartbeat().getTime().getSeconds()).isPositive();
            assertThat(heartbeat.getResumeToken()).isNotEmpty();
        }
    }

    @Test
    void aHigherRevisionComesAgainAtItsNewPlaceAndOnlyThere() {
        fixture.publish(event(1), event(2));
        fixture.publish(event(1).toBuilder().setRevision(2).build());

        Watch watch = fixture.watch(FROM_THE_BEGINNING);

        assertThat(watch.nextId()).isEqualTo("event-2");
        WatchEventsResponse second = watch.nextEvent();
        assertThat(second.getEvent().getEventId()).isEqualTo("event-1");
        assertThat(second.getEvent().getRevision()).isEqualTo(2);
    }

    private static Instant time(WatchEventsResponse heartbeat) {
        Timestamp time = heartbeat.getHeartbeat().getTime();
        return Instant.ofEpochSecond(time.getSeconds(), time.getNanos());
    }

    private static WatchEventsRequest resume(String token) {
        return WatchEventsRequest.newBuilder().setResumeToken(token).build();
    }
}
