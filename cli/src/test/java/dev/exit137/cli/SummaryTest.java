package dev.exit137.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.EventCounts;
import dev.exit137.proto.v1.EventFilter;
import dev.exit137.proto.v1.EventGroup;
import dev.exit137.proto.v1.GroupKey;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.SummarizeEventsRequest;
import dev.exit137.proto.v1.SummarizeEventsRequest.Dimension;
import dev.exit137.proto.v1.SummarizeEventsResponse;
import dev.exit137.proto.v1.TimeBucket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SummaryTest {
    private static final long NOON = Events.TIME.getSeconds() - 1800;

    private final FakeAggregator aggregator = new FakeAggregator();
    private final Session session = new Session();

    @AfterEach
    void close() throws Exception {
        aggregator.close();
    }

    private int run(String... args) {
        session.environment.put("EXIT137_SERVER", aggregator.address());
        return session.run(args);
    }

    @Test
    void aBucketThatIsTooLongForALongOfNanosecondsIsLeftToTheAggregatorsRule() {
        assertThat(run("summary", "--bucket", "999999999d")).isZero();
        assertThat(aggregator.summaries.getFirst().getBucket().getSeconds()).isEqualTo(999_999_999L * 86_400);
    }

    @Test
    void whatAPersonAsksForReachesTheAggregator() {
        assertThat(run(
                        "summary",
                        "--by",
                        "label:app,node,limit-owner",
                        "--bucket",
                        "90m",
                        "--limit",
                        "7",
                        "--pod",
                        "p"))
                .isZero();
        assertThat(run("summary", "--by", "none")).isZero();
        assertThat(run("summary")).isZero();

        SummarizeEventsRequest.Builder plain = SummarizeEventsRequest.newBuilder()
                .setFilter(EventFilter.getDefaultInstance())
                .setMaxGroups(100);
        assertThat(aggregator.summaries)
                .containsExactly(
                        SummarizeEventsRequest.newBuilder()
                                .setFilter(EventFilter.newBuilder().setPod("p"))
                                .addBy(Dimension.NODE)
                                .addBy(Dimension.LIMIT_OWNER)
                                .addByLabels("app")
                                .setBucket(Duration.newBuilder().setSeconds(5400))
                                .setMaxGroups(7)
                                .build(),
                        plain.build(),
                        plain.clone()
                                .addBy(Dimension.NAMESPACE)
                                .addBy(Dimension.CONTAINER)
                                .build());
        assertThat(session.out()).isEmpty();
        assertThat(session.err()).containsOnly("exit137: no events match");
    }

    @Test
    void groupsAreLinesWithTheOthersAndTheTotalBelow() {
        aggregator.summary = SummarizeEventsResponse.newBuilder()
                .addGroups(group("shop", "web\u001b[2J").setCounts(counts(12, 9, NOON, NOON + 1800)))
                .addGroups(group("", "db").setCounts(counts(1, 1, NOON, NOON)))
                .setOthers(EventGroup.newBuilder().setCounts(counts(1, 1, NOON, NOON)))
                .setGroupsOmitted(2)
                .setTotal(EventGroup.newBuilder().setCounts(counts(14, 10, NOON, NOON + 1800)))
                .build();

        assertThat(run("summary")).isZero();

        assertThat(session.out())
                .containsExactly(
                        "NAMESPACE  CONTAINER   KILLS  OOMS  FIRST (UTC)              LAST (UTC)",
                        "shop       web\\x1b[2J     12     9  2026-05-01 12:00:00.000  2026-05-01 12:30:00.000",
                        "-          db              1     1  2026-05-01 12:00:00.000  2026-05-01 12:00:00.000",
                        "2 others                   1     1  2026-05-01 12:00:00.000  2026-05-01 12:00:00.000",
                        "all                       14    10  2026-05-01 12:00:00.000  2026-05-01 12:30:00.000");
    }

    @Test
    void spansOfTimeComeInTheirOrderWithTheGroupsThatHaveThem() {
        EventCounts one = counts(1, 1, NOON, NOON);
        EventGroup.Builder pods = EventGroup.newBuilder()
                .setKey(GroupKey.newBuilder().setLimitOwner(Limit.Owner.POD))
                .addBuckets(TimeBucket.newBuilder().setStart(at(NOON)).setCounts(one))
                .addBuckets(TimeBucket.newBuilder().setStart(at(NOON + 3600)).setCounts(one));
        EventGroup.Builder unknown = EventGroup.newBuilder()
                .setKey(GroupKey.newBuilder().setLimitOwner(Limit.Owner.UNSPECIFIED))
                .addBuckets(TimeBucket.newBuilder().setStart(at(NOON)).setCounts(one));
        aggregator.summary = SummarizeEventsResponse.newBuilder()
                .addGroups(pods)
                .addGroups(unknown)
                .setTotal(EventGroup.newBuilder()
                        .setCounts(counts(3, 3, NOON, NOON + 3600))
                        .addBuckets(TimeBucket.newBuilder().setStart(at(NOON)).setCounts(one)))
                .build();

        assertThat(run("summary", "--by", "limit-owner", "--bucket", "1h")).isZero();

        assertThat(session.out())
                .containsExactly(
                        "FROM (UTC)               LIMIT OWNER  KILLS  OOMS",
                        "2026-05-01 12:00:00.000  pod              1     1",
                        "2026-05-01 12:00:00.000  -                1     1",
                        "2026-05-01 13:00:00.000  pod              1     1",
                        "all                                       3     3");
    }

    @Test
    void withoutAKeyThereIsOneLine() {
        aggregator.summary = SummarizeEventsResponse.newBuilder()
                .setTotal(EventGroup.newBuilder().setCounts(counts(3, 2, NOON, NOON)))
                .build();

        assertThat(run("summary", "--by", "none")).isZero();

        assertThat(session.out())
                .containsExactly(
                        "KILLS  OOMS  FIRST (UTC)              LAST (UTC)",
                        "    3     2  2026-05-01 12:00:00.000  2026-05-01 12:00:00.000");
    }

    @Test
    void jsonIsTheWholeAnswerOnOneLineAlsoWhereNothingMatches() {
        assertThat(run("summary", "-o", "json")).isZero();
        assertThat(session.out()).containsExactly("{}");
    }

    private static EventGroup.Builder group(String namespace, String container) {
        return EventGroup.newBuilder()
                .setKey(GroupKey.newBuilder().setNamespace(namespace).setContainer(container));
    }

    private static EventCounts counts(long kills, long ooms, long first, long last) {
        return EventCounts.newBuilder()
                .setKills(kills)
                .setOoms(ooms)
                .setEvents(kills)
                .setFirstTime(at(first))
                .setLastTime(at(last))
                .build();
    }

    private static Timestamp at(long epochSeconds) {
        return Timestamp.newBuilder().setSeconds(epochSeconds).build();
    }
}
