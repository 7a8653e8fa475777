package dev.exit137.aggregator;

import static dev.exit137.aggregator.Fixture.event;
import static dev.exit137.aggregator.Fixture.exit;
import static dev.exit137.aggregator.Fixture.failureOf;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import dev.exit137.aggregator.query.ResumeTokenHeader;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.EventAck;
import dev.exit137.proto.v1.EventCounts;
import dev.exit137.proto.v1.EventGroup;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitFilter;
import dev.exit137.proto.v1.ExitSettings;
import dev.exit137.proto.v1.GetEventRequest;
import dev.exit137.proto.v1.GroupKey;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.ListEventsRequest;
import dev.exit137.proto.v1.ListExitsRequest;
import dev.exit137.proto.v1.ListExitsResponse;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.Pod;
import dev.exit137.proto.v1.StopRequest;
import dev.exit137.proto.v1.SummarizeEventsRequest;
import dev.exit137.proto.v1.SummarizeEventsRequest.Dimension;
import dev.exit137.proto.v1.SummarizeEventsResponse;
import dev.exit137.proto.v1.SummarizeExitsRequest;
import dev.exit137.proto.v1.WatchEventsRequest;
import dev.exit137.proto.v1.WatchExitsRequest;
import dev.exit137.proto.v1.WatchExitsResponse;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Ends beside kills in one store: each service sees its own, in one order and with the same promises and tokens. */
class ExitEventsTest {
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
    void anEndIsAcknowledgedStoredAndServedAsItWasSentAndNoKill() throws IOException {
        byte[] newerField = {(byte) 0xc2, 0x3e, 0x01, 'x'}; // field 1000, one byte
        ExitEvent sent = wanted().toBuilder().mergeFrom(newerField).build();
        Iterator<WatchExitsResponse> watch = watch(WatchExitsRequest.getDefaultInstance());
        TestAgent agent = fixture.agent();
        agent.send(sent);
        agent.send(event(1));

        assertThat(agent.nextAck())
                .isEqualTo(EventAck.newBuilder()
                        .setEventId("wanted")
                        .setRevision(1)
                        .build());
        assertThat(agent.nextAck().getEventId()).isEqualTo("event-1");
        assertThat(next(watch)).isEqualTo(sent);
        assertThat(get("wanted")).isEqualTo(sent);
        assertThat(ids(ListExitsRequest.getDefaultInstance())).containsExactly("wanted");
        assertThat(fixture.list(ListEventsRequest.getDefaultInstance())).containsExactly("event-1");
        GetEventRequest asKill =
                GetEventRequest.newBuilder().setEventId("wanted").build();
        assertThat(failureOf(() -> fixture.consumer().getEvent(asKill)).getCode())
                .isEqualTo(Status.Code.NOT_FOUND);
        assertThat(failureOf(() -> get("event-1")).getCode()).isEqualTo(Status.Code.NOT_FOUND);
    }

    @Test
    void anEndSentAgainIsAcknowledgedAndNeitherStoredNorWatchedAgainAndABetterOneReplacesIt() throws IOException {
        Iterator<WatchExitsResponse> watch = watch(WatchExitsRequest.getDefaultInstance());
        ExitEvent better = exit("a").setRevision(2).setCause(Cause.STOP_TIMEOUT).build();
        fixture.publish(exit("a").build(), exit("a").build());
        fixture.publish(better, exit("a").build());
        fixture.publish(exit("b").build());

        assertThat(List.of(next(watch), next(watch), next(watch)))
                .containsExactly(exit("a").build(), better, exit("b").build());
        assertThat(ids(ListExitsRequest.getDefaultInstance())).containsExactly("b", "a");
        fixture.close();
        fixture = new Fixture(dataDir);
        fixture.publish(exit("a").build());
        assertThat(get("a")).isEqualTo(better);
    }

    /** No agent gives both the same id; but what is acknowledged must be there. */
    @Test
    void anEndAndAKillWithTheSameIdAreTwoEvents() {
        ExitEvent end = exit("event-1").setRevision(1).build();

        fixture.publish(event(1));
        fixture.publish(end);
        fixture.publish(event(1).toBuilder().setRevision(2).build());

        assertThat(get("event-1")).isEqualTo(end);
        assertThat(fixture.consumer()
                        .getEvent(GetEventRequest.newBuilder()
                                .setEventId("event-1")
                                .build())
                        .getRevision())
                .isEqualTo(2);
    }

    static Stream<Arguments> filters() {
        return Stream.of(
                arguments(ExitFilter.newBuilder().setNode("node-b"), "wanted"),
                arguments(ExitFilter.newBuilder().setNamespace("shop"), "wanted"),
                arguments(ExitFilter.newBuilder().setPod("cart-1"), "wanted"),
                arguments(ExitFilter.newBuilder().setPod("uid-1"), "wanted"),
                arguments(ExitFilter.newBuilder().setContainer("web"), "wanted"),
                arguments(ExitFilter.newBuilder().setContainer("0123abcd"), "wanted"),
                arguments(ExitFilter.newBuilder().setUnit("cron.service"), "wanted"),
                arguments(ExitFilter.newBuilder().addCauses(Cause.CRASH).addCauses(Cause.OOM_KILL), "wanted"),
                arguments(ExitFilter.newBuilder().addCauses(Cause.UNKNOWN), "bare"),
                arguments(ExitFilter.newBuilder().addExitCodes(137).addExitCodes(255), "wanted"),
                arguments(ExitFilter.newBuilder().addExitCodes(0), "other"),
                arguments(ExitFilter.newBuilder().setSince(at(200)), "wanted"),
                arguments(ExitFilter.newBuilder().setSince(at(100)).setUntil(at(200)), "other"),
                arguments(
                        ExitFilter.newBuilder()
                                .setPod("uid-1")
                                .setNode("node-b")
                                .addExitCodes(137)
                                .addCauses(Cause.OOM_KILL),
                        "wanted"));
    }

    @ParameterizedTest
    @MethodSource("filters")
    void aFilterFindsTheEndThatMatchesAndNoOtherInListsWatchesAndSummaries(
            ExitFilter.Builder filter, String expectedId) {
        Iterator<WatchExitsResponse> watch =
                watch(WatchExitsRequest.newBuilder().setFilter(filter).build());
        fixture.publish(event("kill")
                .setNode(Node.newBuilder().setName("node-b"))
                .setTime(at(200))
                .setUnit("cron.service")
                .setContainer(wanted().getContainer())
                .build());
        fixture.publish(other(), wanted(), exit("bare").build());

        assertThat(ids(ListExitsRequest.newBuilder().setFilter(filter).build())).containsExactly(expectedId);
        assertThat(next(watch).getEventId()).isEqualTo(expectedId);
        assertThat(summarize(by().setFilter(filter)).getTotal().getCounts().getEvents())
                .isEqualTo(1);
    }

    @Test
    void aTokenOfOneServiceIsGoodAtTheOther() {
        fixture.publish(event(1));
        fixture.publish(exit("a").setTime(event(1).getTime()).build());
        Fixture.Watch kills = fixture.watch(WatchEventsRequest.newBuilder()
                .setFromTime(Timestamp.getDefaultInstance())
                .build());
        String afterTheKill = kills.nextEvent().getResumeToken();

        Iterator<WatchExitsResponse> ends = watch(
                WatchExitsRequest.newBuilder().setResumeToken(afterTheKill).build());
        WatchExitsResponse end = nextResponse(ends);
        fixture.publish(event(2));

        assertThat(end.getExit().getEventId()).isEqualTo("a");
        assertThat(fixture.watch(WatchEventsRequest.newBuilder()
                                .setResumeToken(end.getResumeToken())
                                .build())
                        .nextId())
                .isEqualTo("event-2");
    }

    /** The first end at that time is in row 3; a watch of kills from its token must not begin there. */
    @Test
    void theTokenOfAWatchFromATimeLeavesNoKillsSinceThatTimeOut() {
        fixture.publish(event(1), event(2));
        fixture.publish(exit("a").setTime(event(2).getTime()).build());
        Iterator<WatchExitsResponse> ends = fixture.exits()
                .watchExits(WatchExitsRequest.newBuilder()
                        .setFromTime(event(1).getTime())
                        .build());
        WatchExitsResponse greeting = ends.next();
        assertThat(greeting.hasHeartbeat()).isTrue();

        assertThat(fixture.watch(WatchEventsRequest.newBuilder()
                                .setResumeToken(greeting.getResumeToken())
                                .build())
                        .nextIds(2))
                .containsExactly("event-1", "event-2");
        assertThat(next(ends).getEventId()).isEqualTo("a");
    }

    @Test
    void aPageTokenOfTheOtherServiceIsAnInvalidArgument() {
        fixture.publish(event(1), event(2));
        fixture.publish(exit("a").build(), exit("b").build());
        String ofKills = fixture.consumer()
                .listEvents(ListEventsRequest.newBuilder().setPageSize(1).build())
                .getNextPageToken();
        String ofEnds = fixture.exits()
                .listExits(ListExitsRequest.newBuilder().setPageSize(1).build())
                .getNextPageToken();

        Status ends = failureOf(() -> fixture.exits()
                .listExits(ListExitsRequest.newBuilder().setPageToken(ofKills).build()));
        Status kills = failureOf(() -> fixture.consumer()
                .listEvents(ListEventsRequest.newBuilder().setPageToken(ofEnds).build()));

        assertThat(List.of(ends, kills)).allSatisfy(status -> {
            assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
            assertThat(status.getDescription()).startsWith("page_token: ");
        });
    }

    @Test
    void pagesOfEndsComeNewestFirstWithoutTheKillsBetweenThem() {
        for (int i = 0; i < 6; i++) {
            fixture.publish(exit("end-" + i).build());
            fixture.publish(event(i));
        }

        assertThat(ids(ListExitsRequest.newBuilder().setPageSize(4).build()))
                .isEqualTo(IntStream.range(0, 6).mapToObj(i -> "end-" + (5 - i)).toList());
    }

    @Test
    void aWatchGoesOnWhereTheEndWasRead() {
        fixture.publish(exit("a").build(), exit("b").build());
        AtomicReference<Metadata> headers = new AtomicReference<>();
        fixture.exits()
                .withInterceptors(MetadataUtils.newCaptureMetadataInterceptor(headers, new AtomicReference<>()))
                .getExit(GetEventRequest.newBuilder().setEventId("a").build());
        String token = headers.get().get(ResumeTokenHeader.RESUME_TOKEN);
        ExitEvent better = exit("a").setRevision(2).build();
        fixture.publish(better);

        assertThat(next(watch(
                        WatchExitsRequest.newBuilder().setResumeToken(token).build())))
                .isEqualTo(better);
    }

    @Test
    void killsAreTheEndsBySigkillAndOomsThoseByTheOomKiller() {
        fixture.publish(event(1));
        fixture.publish(
                end("1", Cause.OOM_KILL, 137).setSignal(9).build(),
                end("1", Cause.OOM_KILL, 137)
                        .setSignal(9)
                        .setNode(Node.newBuilder().setName("node-b"))
                        .setRecovered(true)
                        .build(),
                end("2", Cause.STOP_TIMEOUT, 137).setSignal(9).build(),
                end("3", Cause.CRASH, 139).setSignal(11).build(),
                end("4", Cause.OWN_EXIT, 137).build());

        SummarizeEventsResponse summary = summarize(by(Dimension.CAUSE)
                .setMaxGroups(2)
                .setBucket(Duration.newBuilder().setSeconds(3600)));

        assertThat(summary.getTotal().getCounts()).isEqualTo(counts(3, 2, 5, 1));
        assertThat(summary.getTotal().getBucketsList())
                .singleElement()
                .satisfies(bucket -> assertThat(bucket.getCounts()).isEqualTo(counts(3, 2, 5, 1)));
        assertThat(summary.getGroupsList())
                .extracting(EventGroup::getKey, EventGroup::getCounts)
                .containsExactly(
                        tuple(GroupKey.newBuilder().setCause(Cause.OOM_KILL).build(), counts(2, 2, 2, 1)),
                        tuple(GroupKey.newBuilder().setCause(Cause.STOP_TIMEOUT).build(), counts(1, 0, 1, 0)));
        assertThat(summary.getOthers().getCounts()).isEqualTo(counts(0, 0, 2, 0));
        assertThat(fixture.consumer()
                        .summarizeEvents(SummarizeEventsRequest.getDefaultInstance())
                        .getTotal()
                        .getCounts()
                        .getEvents())
                .as("kills by the kernel")
                .isEqualTo(1);
    }

    static Stream<Arguments> keys() {
        return Stream.of(
                arguments(by(Dimension.NAMESPACE), GroupKey.newBuilder().setNamespace("shop"), GroupKey.newBuilder()),
                arguments(by(Dimension.UNIT), GroupKey.newBuilder().setUnit("cron.service"), GroupKey.newBuilder()),
                arguments(
                        by(Dimension.LIMIT_OWNER),
                        GroupKey.newBuilder().setLimitOwner(Limit.Owner.POD),
                        GroupKey.newBuilder().setLimitOwner(Limit.Owner.UNSPECIFIED)),
                arguments(
                        by(Dimension.CAUSE),
                        GroupKey.newBuilder().setCause(Cause.OOM_KILL),
                        GroupKey.newBuilder().setCause(Cause.UNKNOWN)),
                arguments(by(Dimension.EXIT_CODE), GroupKey.newBuilder().setExitCode(137), GroupKey.newBuilder()),
                arguments(
                        by().addByLabels("com.docker.compose.service"),
                        GroupKey.newBuilder().putLabels("com.docker.compose.service", "db"),
                        GroupKey.newBuilder().putLabels("com.docker.compose.service", "")));
    }

    @ParameterizedTest
    @MethodSource("keys")
    void endsAreToldApartByEachDimensionAndTheUnknownOnesAreAGroup(
            SummarizeExitsRequest.Builder request, GroupKey.Builder known, GroupKey.Builder unknown) {
        fixture.publish(wanted(), exit("bare").build());

        assertThat(summarize(request).getGroupsList())
                .extracting(EventGroup::getKey)
                .containsExactly(known.build(), unknown.build());
    }

    static Stream<Arguments> badRequests() {
        return Stream.of(
                arguments(ExitFilter.newBuilder().addCausesValue(99), "filter.causes: "),
                arguments(ExitFilter.newBuilder().addExitCodes(256), "filter.exit_codes: it holds 256"),
                arguments(ExitFilter.newBuilder().addExitCodes(-1), "filter.exit_codes: it holds 4294967295"),
                arguments(ExitFilter.newBuilder().setSince(at(Long.MAX_VALUE)), "filter.since: "),
                arguments(ExitFilter.newBuilder().setSince(at(2)).setUntil(at(2)), "filter.until: "));
    }

    @ParameterizedTest
    @MethodSource("badRequests")
    void aFilterThatBreaksItsRuleIsAnInvalidArgumentThatNamesTheField(ExitFilter.Builder filter, String expected) {
        Status list = failureOf(() -> fixture.exits()
                .listExits(ListExitsRequest.newBuilder().setFilter(filter).build()));
        Status watch = failureOf(
                () -> watch(WatchExitsRequest.newBuilder().setFilter(filter).build()));
        Status summary = failureOf(() -> summarize(by().setFilter(filter)));

        assertThat(List.of(list, watch, summary)).allSatisfy(status -> {
            assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
            assertThat(status.getDescription()).startsWith(expected);
        });
    }

    @Test
    void eventsAreNotGroupedByWhatTheyDoNotHave() {
        List<Status> failures = List.of(
                failureOf(() -> summarize(by(Dimension.SCOPE))),
                failureOf(() -> fixture.consumer()
                        .summarizeEvents(SummarizeEventsRequest.newBuilder()
                                .addBy(Dimension.CAUSE)
                                .build())),
                failureOf(() -> fixture.consumer()
                        .summarizeEvents(SummarizeEventsRequest.newBuilder()
                                .addBy(Dimension.EXIT_CODE)
                                .build())));

        assertThat(failures).extracting(Status::getCode).containsOnly(Status.Code.INVALID_ARGUMENT);
        assertThat(failures)
                .extracting(Status::getDescription)
                .containsExactly(
                        "by: these events have no SCOPE",
                        "by: these events have no CAUSE",
                        "by: these events have no EXIT_CODE");
    }

    static Stream<Arguments> brokenEnds() {
        Timestamp never = at(Long.MAX_VALUE);
        Duration endless = Duration.newBuilder().setSeconds(Long.MAX_VALUE).build();
        return Stream.of(
                arguments(exit("a").clearEventId(), "exit.event_id: "),
                arguments(exit("ä".repeat(129)), "exit.event_id: "),
                arguments(exit("a").setRevision(0), "exit.revision: "),
                arguments(exit("a").clearNode(), "exit.node.name: "),
                arguments(exit("a").setExitCode(256), "exit.exit_code: it is 256"),
                arguments(exit("a").setTime(never), "exit.time: "),
                arguments(exit("a").setObservedTime(never), "exit.observed_time: "),
                arguments(exit("a").setStartedAt(never), "exit.started_at: "),
                arguments(exit("a").setEndedAt(never), "exit.ended_at: "),
                arguments(
                        exit("a").setStopRequest(StopRequest.newBuilder().setTime(never)), "exit.stop_request.time: "),
                arguments(
                        exit("a").setStopRequest(StopRequest.newBuilder().setWaited(endless)),
                        "exit.stop_request.waited: "),
                arguments(
                        exit("a").setStopRequest(StopRequest.newBuilder().setGrace(endless)),
                        "exit.stop_request.grace: "),
                arguments(
                        exit("a").setSettings(ExitSettings.newBuilder().setStopGrace(endless)),
                        "exit.settings.stop_grace: "),
                arguments(exit("a").setExplanation("x".repeat(70_000)), "exit.explanation: "));
    }

    @ParameterizedTest
    @MethodSource("brokenEnds")
    void anEndThatBreaksARuleIsNotStoredAndEndsTheStreamWithTheName(ExitEvent.Builder broken, String expected) {
        TestAgent agent = fixture.agent();
        agent.send(broken.build());

        Status end = agent.end();

        assertThat(end.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(end.getDescription()).startsWith(expected);
        assertThat(ids(ListExitsRequest.getDefaultInstance())).isEmpty();
    }

    private Iterator<WatchExitsResponse> watch(WatchExitsRequest request) {
        Iterator<WatchExitsResponse> watch = fixture.exits().watchExits(request);
        assertThat(watch.next().hasHeartbeat()).as("it is connected").isTrue();
        return watch;
    }

    private static WatchExitsResponse nextResponse(Iterator<WatchExitsResponse> watch) {
        WatchExitsResponse response = watch.next();
        while (response.hasHeartbeat()) {
            response = watch.next();
        }
        return response;
    }

    private static ExitEvent next(Iterator<WatchExitsResponse> watch) {
        return nextResponse(watch).getExit();
    }

    private ExitEvent get(String id) {
        return fixture.exits()
                .getExit(GetEventRequest.newBuilder().setEventId(id).build());
    }

    /** All ids that a list gives, page by page. */
    private List<String> ids(ListExitsRequest request) {
        return Stream.iterate(
                        fixture.exits().listExits(request),
                        page -> page != null,
                        page -> page.getNextPageToken().isEmpty()
                                ? null
                                : fixture.exits()
                                        .listExits(request.toBuilder()
                                                .setPageToken(page.getNextPageToken())
                                                .build()))
                .map(ListExitsResponse::getExitsList)
                .flatMap(List::stream)
                .map(ExitEvent::getEventId)
                .toList();
    }

    private SummarizeEventsResponse summarize(SummarizeExitsRequest.Builder request) {
        return fixture.exits().summarizeExits(request.build());
    }

    private static SummarizeExitsRequest.Builder by(Dimension... dimensions) {
        return SummarizeExitsRequest.newBuilder().addAllBy(List.of(dimensions));
    }

    private static ExitEvent.Builder end(String id, Cause cause, int exitCode) {
        return exit(id).setTime(at(NOON)).setCause(cause).setExitCode(exitCode);
    }

    private static ExitEvent wanted() {
        Pod pod = Pod.newBuilder()
                .setNamespace("shop")
                .setName("cart-1")
                .setUid("uid-1")
                .build();
        return exit("wanted")
                .setNode(Node.newBuilder().setName("node-b"))
                .setTime(at(200))
                .setUnit("cron.service")
                .setCause(Cause.OOM_KILL)
                .setExitCode(137)
                .setSignal(9)
                .setLimitOwner(Limit.Owner.POD)
                .putComposeLabels("com.docker.compose.service", "db")
                .setContainer(
                        Container.newBuilder().setName("web").setId("0123abcd").setPod(pod))
                .build();
    }

    private static ExitEvent other() {
        return exit("other")
                .setTime(Timestamp.newBuilder().setSeconds(199).setNanos(999_999_999))
                .setCause(Cause.OWN_EXIT)
                .setExitCode(0)
                .setUnit("cron")
                .build();
    }

    private static EventCounts counts(long kills, long ooms, long events, long recovered) {
        return EventCounts.newBuilder()
                .setKills(kills)
                .setOoms(ooms)
                .setEvents(events)
                .setRecoveredEvents(recovered)
                .setFirstTime(at(NOON))
                .setLastTime(at(NOON))
                .build();
    }

    private static Timestamp at(long seconds) {
        return Timestamp.newBuilder().setSeconds(seconds).build();
    }
}
