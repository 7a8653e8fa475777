package dev.exit137.aggregator;

import static dev.exit137.aggregator.Fixture.event;
import static dev.exit137.aggregator.Fixture.failureOf;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.EventCounts;
import dev.exit137.proto.v1.EventFilter;
import dev.exit137.proto.v1.EventGroup;
import dev.exit137.proto.v1.GroupKey;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import dev.exit137.proto.v1.Pod;
import dev.exit137.proto.v1.SummarizeEventsRequest;
import dev.exit137.proto.v1.SummarizeEventsRequest.Dimension;
import dev.exit137.proto.v1.SummarizeEventsResponse;
import dev.exit137.proto.v1.TimeBucket;
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

class SummarizeEventsTest {
    // A multiple of an hour.
    private static final long NOON = 1_700_049_600L;

    @TempDir
    private Path dataDir;

    private Fixture fixture;

    @BeforeEach
    void start() throws IOException {
        fixture = new Fixture(dataDir);
    }

    @AfterEach
    void stop() {
        fixture.close();
    }

    @Test
    void anEmptyStoreHasATotalOfNothing() {
        SummarizeEventsResponse summary = summarize(by(Dimension.NODE).setBucket(seconds(60)));

        assertThat(summary.getTotal())
                .isEqualTo(EventGroup.newBuilder().setCounts(counts(0, 0, 0, 0)).build());
        assertThat(summary.getGroupsList()).isEmpty();
        assertThat(summary.hasOthers()).isFalse();
    }

    @Test
    void anOomThatKilledInTwoContainersCountsInEachAndOnceInAll() {
        fixture.publish(
                kill("1", "shop", "web", NOON).setIncident(incident("oom-1")).build(),
                kill("2", "shop", "web", NOON + 1)
                        .setIncident(incident("oom-1"))
                        .build(),
                kill("3", "shop", "sidecar", NOON + 2)
                        .setIncident(incident("oom-1"))
                        .build(),
                kill("4", "shop", "web", NOON + 9)
                        .setIncident(incident("oom-2"))
                        .build());

        SummarizeEventsResponse summary = summarize(by(Dimension.NAMESPACE, Dimension.CONTAINER));

        assertThat(summary.getTotal().getCounts()).isEqualTo(counts(4, 2, 4, 0, NOON, NOON + 9));
        assertThat(summary.getGroupsList())
                .containsExactly(
                        group(
                                GroupKey.newBuilder().setNamespace("shop").setContainer("web"),
                                counts(3, 2, 3, 0, NOON, NOON + 9)),
                        group(
                                GroupKey.newBuilder().setNamespace("shop").setContainer("sidecar"),
                                counts(1, 1, 1, 0, NOON + 2, NOON + 2)));
    }

    @Test
    void anOomWithoutAKillIsAnOomAndNoKill() {
        fixture.publish(
                event("none")
                        .setOutcome(Outcome.NO_KILLABLE_PROCESS)
                        .setTime(at(NOON))
                        .setIncident(incident("oom-1"))
                        .build(),
                event("unseen")
                        .setOutcome(Outcome.KILL_NOT_SEEN)
                        .setTime(at(NOON))
                        .build());

        assertThat(summarize(by()).getTotal().getCounts()).isEqualTo(counts(0, 2, 2, 0, NOON, NOON));
    }

    @Test
    void whatHappenedBeforeTheAgentWatchedCountsAtItsTimeAndIsToldApart() {
        fixture.publish(
                kill("1", "shop", "web", NOON).build(),
                kill("2", "shop", "web", NOON - 7200).setRecovered(true).build());

        assertThat(summarize(by()).getTotal().getCounts()).isEqualTo(counts(2, 2, 2, 1, NOON - 7200, NOON));
    }

    @Test
    void anEventOfAHigherRevisionIsCountedOnceAndWhereItBelongsNow() {
        fixture.publish(kill("1", "", "", NOON).build());
        fixture.publish(kill("1", "shop", "web", NOON).setRevision(2).build());

        assertThat(summarize(by(Dimension.NAMESPACE)).getGroupsList())
                .containsExactly(group(GroupKey.newBuilder().setNamespace("shop"), counts(1, 1, 1, 0, NOON, NOON)));
    }

    static Stream<Arguments> keys() {
        return Stream.of(
                arguments(by(Dimension.NAMESPACE), GroupKey.newBuilder().setNamespace("shop"), GroupKey.newBuilder()),
                arguments(by(Dimension.POD), GroupKey.newBuilder().setPod("cart-1"), GroupKey.newBuilder()),
                arguments(by(Dimension.CONTAINER), GroupKey.newBuilder().setContainer("web"), GroupKey.newBuilder()),
                arguments(by(Dimension.UNIT), GroupKey.newBuilder().setUnit("cron.service"), GroupKey.newBuilder()),
                arguments(
                        by(Dimension.NODE),
                        GroupKey.newBuilder().setNode("node-b"),
                        GroupKey.newBuilder().setNode("node-a")),
                arguments(
                        by(Dimension.SCOPE),
                        GroupKey.newBuilder().setScope(Scope.GLOBAL),
                        GroupKey.newBuilder().setScope(Scope.UNKNOWN)),
                arguments(
                        by(Dimension.LIMIT_OWNER),
                        GroupKey.newBuilder().setLimitOwner(Limit.Owner.POD),
                        GroupKey.newBuilder().setLimitOwner(Limit.Owner.UNSPECIFIED)),
                arguments(
                        by().addByLabels("app.kubernetes.io/name"),
                        GroupKey.newBuilder().putLabels("app.kubernetes.io/name", "say \"hi\"\\\n"),
                        GroupKey.newBuilder().putLabels("app.kubernetes.io/name", "")),
                arguments(
                        by().addByLabels("com.docker.compose.service"),
                        GroupKey.newBuilder().putLabels("com.docker.compose.service", "db"),
                        GroupKey.newBuilder().putLabels("com.docker.compose.service", "")));
    }

    @ParameterizedTest
    @MethodSource("keys")
    void eventsAreToldApartByEachDimensionAndTheUnknownOnesAreAGroup(
            SummarizeEventsRequest.Builder request, GroupKey.Builder known, GroupKey.Builder unknown) {
        Pod.Builder pod = Pod.newBuilder().setNamespace("shop").setName("cart-1");
        OomKillEvent whole = event("whole")
                .setNode(Node.newBuilder().setName("node-b"))
                .setTime(at(NOON))
                .setOutcome(Outcome.KILLED)
                .setScope(Scope.GLOBAL)
                .setUnit("cron.service")
                .setIncident(Incident.newBuilder().setLimit(Limit.newBuilder().setOwner(Limit.Owner.POD)))
                .putComposeLabels("com.docker.compose.service", "db")
                .setContainer(Container.newBuilder()
                        .setName("web")
                        .setPod(pod.putLabels("app.kubernetes.io/name", "say \"hi\"\\\n")
                                .putLabels("app", "cart")))
                .build();
        fixture.publish(whole, event("bare").build());

        assertThat(summarize(request).getGroupsList())
                .extracting(EventGroup::getKey)
                .containsExactly(known.build(), unknown.build());
    }

    @Test
    void groupsBeyondTheMostAreCountedTogetherAndTheirOomsOnce() {
        for (int i = 0; i < 5; i++) {
            for (int j = 0; j <= i; j++) {
                fixture.publish(kill(i + "/" + j, "ns-" + i, "web", NOON + i)
                        .setIncident(incident("one for all"))
                        .build());
            }
        }

        SummarizeEventsResponse summary =
                summarize(by(Dimension.NAMESPACE).setMaxGroups(2).setBucket(seconds(3600)));

        assertThat(summary.getGroupsList())
                .extracting(g -> g.getKey().getNamespace())
                .containsExactly("ns-4", "ns-3");
        assertThat(summary.getGroupsOmitted()).isEqualTo(3);
        assertThat(summary.getOthers())
                .isEqualTo(EventGroup.newBuilder()
                        .setCounts(counts(6, 1, 6, 0, NOON, NOON + 2))
                        .addBuckets(bucket(NOON, counts(6, 1, 6, 0, NOON, NOON + 2)))
                        .build());
        assertThat(summary.getTotal().getCounts()).isEqualTo(counts(15, 1, 15, 0, NOON, NOON + 4));
    }

    @Test
    void spansOfTimeBeginAtMultiplesOfTheirLengthAlsoBefore1970() {
        fixture.publish(
                kill("1", "shop", "web", NOON - 1).build(),
                kill("2", "shop", "web", NOON).build(),
                kill("3", "shop", "web", NOON + 3599).build(),
                kill("4", "shop", "web", NOON + 7200).build(),
                kill("5", "shop", "web", -1).build(),
                event("no time").setOutcome(Outcome.KILLED).build());

        EventGroup total = summarize(by().setBucket(seconds(3600))).getTotal();

        assertThat(total.getBucketsList())
                .containsExactlyInAnyOrder(
                        TimeBucket.newBuilder().setCounts(counts(1, 1, 1, 0)).build(),
                        bucket(-3600, counts(1, 1, 1, 0, -1, -1)),
                        bucket(NOON - 3600, counts(1, 1, 1, 0, NOON - 1, NOON - 1)),
                        bucket(NOON, counts(2, 2, 2, 0, NOON, NOON + 3599)),
                        bucket(NOON + 7200, counts(1, 1, 1, 0, NOON + 7200, NOON + 7200)));
        assertThat(total.getCounts().getKills()).isEqualTo(6);
    }

    @Test
    void aTimeThatFitsNoLongIsCountedAndNoFailure() {
        fixture.publish(
                event("first of all")
                        .setTime(Timestamp.newBuilder().setSeconds(-62_135_596_800L))
                        .build(),
                event("last of all")
                        .setTime(Timestamp.newBuilder().setSeconds(253_402_300_799L))
                        .build());

        EventGroup total = summarize(by().setBucket(seconds(3600))).getTotal();

        assertThat(total.getCounts().getEvents()).isEqualTo(2);
        assertThat(total.getBucketsList()).hasSize(2);
    }

    @Test
    void onlyWhatMatchesTheFilterIsCounted() {
        fixture.publish(
                kill("1", "shop", "web", NOON).build(),
                kill("2", "bank", "web", NOON).build(),
                kill("3", "shop", "web", NOON + 60).build());

        EventFilter.Builder filter =
                EventFilter.newBuilder().setNamespace("shop").setUntil(at(NOON + 60));
        EventFilter.Builder byPod = EventFilter.newBuilder().setPod("uid-of-2");

        assertThat(summarize(by().setFilter(filter)).getTotal().getCounts().getKills())
                .isEqualTo(1);
        assertThat(summarize(by(Dimension.NAMESPACE).setFilter(byPod)).getGroupsList())
                .containsExactly(group(GroupKey.newBuilder().setNamespace("bank"), counts(1, 1, 1, 0, NOON, NOON)));
    }

    @Test
    void aWatchFromItsTokenBringsWhatItDidNotCount() {
        fixture.publish(kill("1", "shop", "web", NOON).build());
        String token = summarize(by()).getResumeToken();
        fixture.publish(kill("2", "shop", "web", NOON).build());

        assertThat(fixture.watch(WatchEventsRequest.newBuilder()
                                .setResumeToken(token)
                                .build())
                        .nextId())
                .isEqualTo("2");
    }

    @Test
    void moreSpansThanAResponseHoldsAreRefusedRatherThanCut() {
        fixture.publish(IntStream.range(0, 5001)
                .mapToObj(i -> kill("e" + i, "shop", "web", NOON + i).build())
                .toArray(OomKillEvent[]::new));

        assertThat(summarize(by().setBucket(seconds(1))).getTotal().getBucketsCount())
                .isEqualTo(5001);
        Status status = failureOf(() -> summarize(by(Dimension.NODE).setBucket(seconds(1))));

        assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(status.getDescription()).startsWith("bucket: there are more than 10000 spans");
    }

    static Stream<Arguments> badRequests() {
        return Stream.of(
                arguments(by().addByValue(99), "by: "),
                arguments(by(Dimension.DIMENSION_UNSPECIFIED), "by: "),
                arguments(by(Dimension.NODE, Dimension.NODE), "by: one is named twice"),
                arguments(by().addByLabels("app").addByLabels("app"), "by: one is named twice"),
                arguments(
                        by().addAllByLabels(IntStream.range(0, 9)
                                .mapToObj(i -> "l" + i)
                                .toList()),
                        "by: "),
                arguments(by().addByLabels("a\"b"), "by_labels: 'a\"b' is not a label's name"),
                arguments(by().addByLabels(""), "by_labels: "),
                arguments(by().setMaxGroups(-1), "max_groups: "),
                arguments(by().setBucket(seconds(0)), "bucket: "),
                arguments(by().setBucket(seconds(-60)), "bucket: "),
                arguments(by().setBucket(seconds(Long.MAX_VALUE)), "bucket: "),
                arguments(by().setFilter(EventFilter.newBuilder().addScopesValue(99)), "filter.scopes: "));
    }

    @ParameterizedTest
    @MethodSource("badRequests")
    void aFieldThatBreaksItsRuleIsAnInvalidArgumentThatNamesIt(
            SummarizeEventsRequest.Builder request, String expected) {
        Status status = failureOf(() -> summarize(request));

        assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(status.getDescription()).startsWith(expected);
    }

    private SummarizeEventsResponse summarize(SummarizeEventsRequest.Builder request) {
        return fixture.consumer().summarizeEvents(request.build());
    }

    private static SummarizeEventsRequest.Builder by(Dimension... dimensions) {
        return SummarizeEventsRequest.newBuilder().addAllBy(List.of(dimensions));
    }

    private static OomKillEvent.Builder kill(String id, String namespace, String container, long epochSeconds) {
        Pod.Builder pod = Pod.newBuilder().setNamespace(namespace).setUid("uid-of-" + id);
        return event(id)
                .setTime(at(epochSeconds))
                .setOutcome(Outcome.KILLED)
                .setContainer(Container.newBuilder().setName(container).setPod(pod));
    }

    private static Incident incident(String id) {
        return Incident.newBuilder().setId(id).build();
    }

    private static EventGroup group(GroupKey.Builder key, EventCounts counts) {
        return EventGroup.newBuilder().setKey(key).setCounts(counts).build();
    }

    private static TimeBucket bucket(long epochSeconds, EventCounts counts) {
        return TimeBucket.newBuilder()
                .setStart(at(epochSeconds))
                .setCounts(counts)
                .build();
    }

    private static EventCounts counts(long kills, long ooms, long events, long recovered, long first, long last) {
        return counts(kills, ooms, events, recovered).toBuilder()
                .setFirstTime(at(first))
                .setLastTime(at(last))
                .build();
    }

    private static EventCounts counts(long kills, long ooms, long events, long recovered) {
        return EventCounts.newBuilder()
                .setKills(kills)
                .setOoms(ooms)
                .setEvents(events)
                .setRecoveredEvents(recovered)
                .build();
    }

    private static Timestamp at(long epochSeconds) {
        return Timestamp.newBuilder().setSeconds(epochSeconds).build();
    }

    private static Duration seconds(long seconds) {
        return Duration.newBuilder().setSeconds(seconds).build();
    }
}
