package dev.exit137.aggregator;

import static dev.exit137.aggregator.Fixture.event;
import static dev.exit137.aggregator.Fixture.events;
import static dev.exit137.aggregator.Fixture.failureOf;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.EventFilter;
import dev.exit137.proto.v1.ListEventsRequest;
import dev.exit137.proto.v1.ListEventsResponse;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import dev.exit137.proto.v1.Pod;
import dev.exit137.proto.v1.WatchEventsRequest;
import io.grpc.Status;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ListEventsTest {
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

    static Stream<Arguments> filters() {
        return Stream.of(
                arguments(EventFilter.newBuilder().setNode("node-b"), "wanted"),
                arguments(EventFilter.newBuilder().setNamespace("shop"), "wanted"),
                arguments(EventFilter.newBuilder().setPod("cart-1"), "wanted"),
                arguments(EventFilter.newBuilder().setPod("uid-1"), "wanted"),
                arguments(EventFilter.newBuilder().setContainer("web"), "wanted"),
                arguments(EventFilter.newBuilder().setContainer("0123abcd"), "wanted"),
                arguments(EventFilter.newBuilder().addScopes(Scope.GLOBAL).addScopes(Scope.CPUSET), "wanted"),
                arguments(EventFilter.newBuilder().addScopes(Scope.UNKNOWN), "bare"),
                arguments(EventFilter.newBuilder().setSince(seconds(200)), "wanted"),
                arguments(EventFilter.newBuilder().setSince(seconds(100)).setUntil(seconds(200)), "other"),
                arguments(
                        EventFilter.newBuilder()
                                .setNode("node-b")
                                .setNamespace("shop")
                                .setPod("uid-1"),
                        "wanted"));
    }

    @ParameterizedTest
    @MethodSource("filters")
    void aFilterFindsTheEventThatMatchesAndNoOtherInListsAndWatches(EventFilter.Builder filter, String expectedId) {
        var watch =
                fixture.watch(WatchEventsRequest.newBuilder().setFilter(filter).build());
        fixture.publish(other(), wanted(), event("bare").build());

        List<String> listed =
                fixture.list(ListEventsRequest.newBuilder().setFilter(filter).build());

        assertThat(listed).containsExactly(expectedId);
        assertThat(watch.nextId()).isEqualTo(expectedId);
    }

    @Test
    void anEventThatMatchesOnlyPartOfAFilterIsNotFound() {
        fixture.publish(wanted(), other());

        EventFilter mixed =
                EventFilter.newBuilder().setNode("node-a").setNamespace("shop").build();

        assertThat(fixture.list(ListEventsRequest.newBuilder().setFilter(mixed).build()))
                .isEmpty();
    }

    @Test
    void pagesComeNewestFirstAndStayStableWhileNewEventsAreStored() {
        fixture.publish(events(0, 10));
        ListEventsResponse first = fixture.consumer().listEvents(pageOf(4));

        fixture.publish(events(10, 20));
        List<String> rest = fixture
                .consumer()
                .listEvents(ListEventsRequest.newBuilder()
                        .setPageSize(10)
                        .setPageToken(first.getNextPageToken())
                        .build())
                .getEventsList()
                .stream()
                .map(OomKillEvent::getEventId)
                .toList();

        assertThat(first.getEventsList())
                .extracting(OomKillEvent::getEventId)
                .containsExactly("event-9", "event-8", "event-7", "event-6");
        assertThat(rest).containsExactly("event-5", "event-4", "event-3", "event-2", "event-1", "event-0");
    }

    @Test
    void aWatchFromTheTokenOfAnyPageGoesOnWhereItsListEndsWithoutAGapAndWithoutARepetition() {
        fixture.publish(events(0, 6));
        ListEventsResponse first = fixture.consumer().listEvents(pageOf(4));
        fixture.publish(event(6));
        // Its new revision takes it from where the second page would have found it.
        fixture.publish(event(1).toBuilder().setRevision(2).build());

        ListEventsResponse second = fixture.consumer().listEvents(withToken(first.getNextPageToken()));

        assertThat(second.getEventsList()).extracting(OomKillEvent::getEventId).containsExactly("event-0");
        assertThat(second.getResumeToken()).isEqualTo(first.getResumeToken());
        WatchEventsRequest after = WatchEventsRequest.newBuilder()
                .setResumeToken(second.getResumeToken())
                .build();
        assertThat(fixture.watch(after).nextIds(2)).containsExactly("event-6", "event-1");
    }

    @Test
    void aWatchFromTheTokenOfAnEmptyListBringsTheFirstEvent() {
        String token = fixture.consumer().listEvents(pageOf(1)).getResumeToken();
        fixture.publish(event(1));

        WatchEventsRequest after =
                WatchEventsRequest.newBuilder().setResumeToken(token).build();
        assertThat(fixture.watch(after).nextId()).isEqualTo("event-1");
    }

    @Test
    void theLastPageHasNoTokenEvenWhenItIsFull() {
        fixture.publish(events(0, 4));

        assertThat(fixture.consumer().listEvents(pageOf(4)).getNextPageToken()).isEmpty();
        assertThat(fixture.consumer().listEvents(pageOf(3)).getNextPageToken()).isNotEmpty();
    }

    @Test
    void aPageIsAHundredEventsByDefaultAndAThousandAtMost() {
        fixture.publish(events(0, 1100));

        assertThat(fixture.consumer().listEvents(pageOf(0)).getEventsCount()).isEqualTo(100);
        assertThat(fixture.consumer().listEvents(pageOf(Integer.MAX_VALUE)).getEventsCount())
                .isEqualTo(1000);
    }

    @Test
    void pagesOfLargeEventsStayBelowWhatAConsumerTakes() {
        OomKillEvent[] large = IntStream.range(0, 8)
                .mapToObj(i -> Fixture.filled(event(i).toBuilder(), 1 << 20).build())
                .toArray(OomKillEvent[]::new);
        fixture.publish(large);

        assertThat(fixture.list(pageOf(1000))).hasSize(8);
    }

    @Test
    void theLargestEventThatIsTakenCanBeListedAndWatched() {
        OomKillEvent.Builder event = event("large").setTime(seconds(1));
        int room = GrpcServer.MAX_MESSAGE_BYTES - event.build().getSerializedSize() - 16;
        fixture.publish(Fixture.filled(event, room).build());

        assertThat(fixture.list(pageOf(1))).containsExactly("large");
        WatchEventsRequest fromThen =
                WatchEventsRequest.newBuilder().setFromTime(seconds(1)).build();
        assertThat(fixture.watch(fromThen).nextId()).isEqualTo("large");
    }

    @Test
    void aRangeOfTimesFindsRecoveredEventsThatWereStoredAmongLaterOnes() {
        fixture.publish(event(30), event(10), event(31), event(11), event(32));

        EventFilter range = EventFilter.newBuilder()
                .setSince(event(10).getTime())
                .setUntil(event(12).getTime())
                .build();
        EventFilter emptyRange = EventFilter.newBuilder()
                .setSince(event(12).getTime())
                .setUntil(event(13).getTime())
                .build();

        assertThat(fixture.list(pageOf(1).toBuilder().setFilter(range).build()))
                .containsExactly("event-11", "event-10");
        assertThat(fixture.list(pageOf(1).toBuilder().setFilter(emptyRange).build()))
                .isEmpty();
    }

    @Test
    void aPageTokenOfAnotherFilterIsAnInvalidArgument() {
        fixture.publish(events(0, 3));
        String token = fixture.consumer().listEvents(pageOf(1)).getNextPageToken();
        EventFilter another = EventFilter.newBuilder().setNode("node-a").build();

        Status status = failureOf(() -> fixture.consumer()
                .listEvents(pageOf(1).toBuilder()
                        .setFilter(another)
                        .setPageToken(token)
                        .build()));

        assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(status.getDescription()).startsWith("page_token: ");
    }

    @Test
    void aResumeTokenIsNoPageTokenAndTheOtherWayRound() {
        fixture.publish(events(0, 3));
        String pageToken = fixture.consumer().listEvents(pageOf(1)).getNextPageToken();
        String resumeToken = fixture.consumer()
                .watchEvents(WatchEventsRequest.getDefaultInstance())
                .next()
                .getResumeToken();

        Status list = failureOf(() -> fixture.consumer().listEvents(withToken(resumeToken)));
        Status watch = failureOf(() -> fixture.consumer()
                .watchEvents(WatchEventsRequest.newBuilder()
                        .setResumeToken(pageToken)
                        .build())
                .next());

        assertThat(list.getDescription()).startsWith("page_token: ");
        assertThat(watch.getDescription()).startsWith("resume_token: ");
    }

    @Test
    void aPageTokenOfAnotherStoreIsOutOfRange() throws IOException {
        String token;
        try (Fixture other = new Fixture(dataDir.resolve("other"))) {
            other.publish(events(0, 3));
            token = other.consumer().listEvents(pageOf(1)).getNextPageToken();
        }

        Status status = failureOf(() -> fixture.consumer().listEvents(withToken(token)));

        assertThat(status.getCode()).isEqualTo(Status.Code.OUT_OF_RANGE);
        assertThat(status.getDescription()).startsWith("page_token: ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"rubbish!", "cA", "AAAA"})
    void aMalformedPageTokenIsAnInvalidArgumentThatNamesTheField(String token) {
        Status status = failureOf(() -> fixture.consumer().listEvents(withToken(token)));

        assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(status.getDescription()).startsWith("page_token: ");
    }

    static Stream<Arguments> badRequests() {
        return Stream.of(
                arguments(pageOf(-1), "page_size: "),
                arguments(
                        withFilter(EventFilter.newBuilder().setSince(seconds(2)).setUntil(seconds(2))),
                        "filter.until: "),
                arguments(
                        withFilter(EventFilter.newBuilder()
                                .setSince(Timestamp.newBuilder().setNanos(-1))),
                        "filter.since: "),
                arguments(withFilter(EventFilter.newBuilder().setUntil(seconds(Long.MAX_VALUE))), "filter.until: "),
                arguments(withFilter(EventFilter.newBuilder().addScopesValue(99)), "filter.scopes: "));
    }

    @ParameterizedTest
    @MethodSource("badRequests")
    void aFieldThatBreaksItsRuleIsAnInvalidArgumentThatNamesIt(ListEventsRequest request, String expectedField) {
        Status status = failureOf(() -> fixture.consumer().listEvents(request));

        assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(status.getDescription()).startsWith(expectedField);
    }

    private static OomKillEvent wanted() {
        Pod pod = Pod.newBuilder()
                .setNamespace("shop")
                .setName("cart-1")
                .setUid("uid-1")
                .build();
        return event("wanted")
                .setNode(Node.newBuilder().setName("node-b"))
                .setTime(seconds(200))
                .setScope(Scope.GLOBAL)
                .setContainer(
                        Container.newBuilder().setName("web").setId("0123abcd").setPod(pod))
                .build();
    }

    private static OomKillEvent other() {
        Pod pod = Pod.newBuilder()
                .setNamespace("bank")
                .setName("cart")
                .setUid("uid-11")
                .build();
        return event("other")
                .setTime(Timestamp.newBuilder().setSeconds(199).setNanos(999_999_999))
                .setScope(Scope.MEMCG)
                .setContainer(
                        Container.newBuilder().setName("web2").setId("0123").setPod(pod))
                .build();
    }

    private static Timestamp seconds(long seconds) {
        return Timestamp.newBuilder().setSeconds(seconds).build();
    }

    private static ListEventsRequest pageOf(int size) {
        return ListEventsRequest.newBuilder().setPageSize(size).build();
    }

    private static ListEventsRequest withToken(String token) {
        return ListEventsRequest.newBuilder().setPageToken(token).build();
    }

    private static ListEventsRequest withFilter(EventFilter.Builder filter) {
        return ListEventsRequest.newBuilder().setFilter(filter).build();
    }
}
