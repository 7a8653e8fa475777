package dev.exit137.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.v1.EventCounts;
import dev.exit137.proto.v1.EventGroup;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitFilter;
import dev.exit137.proto.v1.GroupKey;
import dev.exit137.proto.v1.ListExitsRequest;
import dev.exit137.proto.v1.SummarizeEventsRequest.Dimension;
import dev.exit137.proto.v1.SummarizeEventsResponse;
import dev.exit137.proto.v1.SummarizeExitsRequest;
import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The commands that show ends of containers and services. */
class ExitsTest {
    private static final String OLDER =
            "exit137: this aggregator is older and knows no ends of containers and services: only OOM kills follow";

    private FakeAggregator aggregator = new FakeAggregator();
    private final Session session = new Session();

    @AfterEach
    void close() throws Exception {
        session.stop.request();
        aggregator.close();
    }

    private void replaceWithAnOlderAggregator() {
        aggregator.close();
        aggregator = new FakeAggregator(false);
    }

    private int run(String... args) {
        session.environment.put("EXIT137_SERVER", aggregator.address());
        return session.run(args);
    }

    private CompletableFuture<Integer> watch(String... flags) {
        session.environment.put("EXIT137_SERVER", aggregator.address());
        String[] args = new String[flags.length + 1];
        args[0] = "watch";
        System.arraycopy(flags, 0, args, 1, flags.length);
        return session.start(args);
    }

    @Test
    void anEndIsOneLineThatATerminalHasRoomFor() {
        aggregator.exits.store(Events.stopTimeout("web").build());
        aggregator.exits.store(
                Events.killedUnit("nginx.service").setRecovered(true).build());
        assertThat(run("exits")).isZero();
        assertThat(session.out())
                .containsExactly(
                        "TIME (UTC)               NODE          WHERE                           CODE  CAUSE",
                        "2026-05-01 12:30:00.125  node-1        nginx.service                    137  unknown  [recovered]",
                        "2026-05-01 12:30:00.125  node-1        docker web                       137  stop timeout")
                .allMatch(line -> line.length() <= 100);
    }

    @Test
    void aListLongerThanAPageIsFetchedToItsEndAndACutOneSaysSo() {
        for (int i = 0; i < 250; i++) {
            aggregator.exits.store(Events.stopTimeout("web" + i).build());
        }
        assertThat(run("exits", "--limit", "240", "-o", "json")).isZero();
        assertThat(session.out()).hasSize(240);
        assertThat(session.out().getFirst()).startsWith("{\"eventId\":").contains("web249");
        assertThat(session.err()).containsExactly("exit137: there are more; --limit 240 was reached");
        assertThat(aggregator.exits.lists)
                .extracting(ListExitsRequest::getPageToken)
                .containsExactly("", "200");
    }

    @Test
    void everyFilterReachesTheAggregator() {
        assertThat(run(
                        "exits",
                        "--node",
                        "n",
                        "--namespace",
                        "s",
                        "--pod",
                        "p",
                        "--container",
                        "c",
                        "--unit",
                        "u",
                        "--cause",
                        "oom-kill,STOP_TIMEOUT",
                        "--code",
                        "137,143",
                        "--since",
                        "2h"))
                .isZero();
        assertThat(aggregator.exits.lists.getFirst().getFilter())
                .isEqualTo(ExitFilter.newBuilder()
                        .setNode("n")
                        .setNamespace("s")
                        .setPod("p")
                        .setContainer("c")
                        .setUnit("u")
                        .addCauses(ExitEvent.Cause.OOM_KILL)
                        .addCauses(ExitEvent.Cause.STOP_TIMEOUT)
                        .addExitCodes(137)
                        .addExitCodes(143)
                        .setSince(EventFactory.timestamp(Events.INSTANT.minus(Duration.ofHours(2))))
                        .build());
        assertThat(session.err()).containsExactly("exit137: no ends match");
    }

    @Test
    void getFindsAnEndAndShowsItsTimelineSenderAndAdvice() {
        aggregator.exits.store(Events.stopTimeout("web").build());
        assertThat(run("get", "boot/exit/container/web/1")).isZero();
        assertThat(session.out())
                .containsExactly(
                        "docker web on node-1: ended 2026-05-01 12:30:00.125, exit code 137",
                        "  container web did not end in time.",
                        "  cause    stop timeout: confirmed, independent sources agree",
                        "  timeline 2026-05-01 12:29:00.125  started",
                        "           2026-05-01 12:29:50.125  asked to end with SIGTERM, with a grace period of 10 s",
                        "           2026-05-01 12:30:00.125  killed with SIGKILL, after 10 s",
                        "           2026-05-01 12:30:00.125  ended by SIGKILL, exit code 137",
                        "  sender   /usr/bin/runc (pid 812), named runc",
                        "           uid 0",
                        "           in unit docker.service",
                        "           child of systemd(1)",
                        "  asked by a client of Docker: docker stop",
                        "  image    bb:1",
                        "  evidence the kernel's trace of signals, Docker",
                        "  to do    - Handle SIGTERM in process 1",
                        "  event    boot/exit/container/web/1");
    }

    @Test
    void getOfAnOlderAggregatorSaysWhatItSaidBefore() {
        replaceWithAnOlderAggregator();
        assertThat(run("get", "nothing")).isEqualTo(1);
        assertThat(session.err())
                .containsExactly("exit137: the aggregator at " + aggregator.address()
                        + " refused: no event has this id (NOT_FOUND)");
    }

    @Test
    void aWatchForAPersonShowsBothKindsEachUnderItsHeader() throws Exception {
        CompletableFuture<Integer> exitCode = watch();
        aggregator.nextWatch();
        aggregator.exits.nextWatch();
        aggregator.exits.store(Events.stopTimeout("web").build());
        assertThat(session.nextLine()).startsWith("TIME (UTC)").endsWith("CODE  CAUSE");
        assertThat(session.nextLine()).endsWith("137  stop timeout");
        assertThat(session.nextLine()).isEqualTo("  container web did not end in time.");
        aggregator.store(Events.inCgroup(7).build());
        assertThat(session.nextLine()).startsWith("TIME (UTC)").endsWith("EVENT");
        assertThat(session.nextLine()).contains("tail(7)");
        session.stop.request();
        assertThat(exitCode.get()).isZero();
        assertThat(session.err())
                .containsExactly("exit137: to go on from here: --resume-token oom=store1/1,exit=store1/1");
    }

    @Test
    void jsonHasBothKindsOnlyWhereTheyAreAskedForAndThenSaysWhichIsWhich() throws Exception {
        watch("-o", "json", "--kind", "all");
        aggregator.nextWatch();
        aggregator.exits.nextWatch();
        aggregator.exits.store(Events.stopTimeout("web").build());
        assertThat(session.nextLine()).startsWith("{\"kind\":\"exit\",\"eventId\":\"boot/exit/container/web/1\"");
        aggregator.store(Events.inCgroup(7).build());
        assertThat(session.nextLine()).startsWith("{\"kind\":\"oom\",\"eventId\":\"boot/kmsg/7\"");
    }

    @Test
    void jsonWithoutAKindAsksForNoEnds() throws Exception {
        watch("-o", "json");
        aggregator.nextWatch();
        aggregator.store(Events.inCgroup(7).build());
        assertThat(session.nextLine()).startsWith("{\"eventId\":");
        assertThat(aggregator.exits.isWatched()).isFalse();
    }

    @Test
    void anOlderAggregatorIsWatchedForOomKillsAloneAndThatIsSaidOnce() throws Exception {
        replaceWithAnOlderAggregator();
        CompletableFuture<Integer> exitCode = watch();
        assertThat(session.nextErrorLine()).isEqualTo(OLDER);
        aggregator.store(Events.inCgroup(7).build());
        session.nextLine();
        assertThat(session.nextLine()).contains("tail(7)");
        session.stop.request();
        assertThat(exitCode.get()).isZero();
        assertThat(session.err()).containsExactly("exit137: to go on from here: --resume-token store1/1");
    }

    @Test
    void anOlderAggregatorCannotBeWatchedForEndsAlone() {
        replaceWithAnOlderAggregator();
        assertThat(run("watch", "--kind", "exit")).isEqualTo(1);
        assertThat(session.err()).first().asString().contains("of another version");
    }

    @Test
    void aRefusalOfOneStreamEndsTheWatchWithTheTokensOfBoth() throws Exception {
        CompletableFuture<Integer> exitCode = watch();
        aggregator.nextWatch();
        aggregator.exits.nextWatch();
        aggregator.exits.end(Status.PERMISSION_DENIED.withDescription("not for you"));
        assertThat(exitCode.get(60, TimeUnit.SECONDS)).isEqualTo(1);
        assertThat(session.err())
                .containsExactly(
                        "exit137: to go on from here: --resume-token oom=store1/0,exit=store1/0",
                        "exit137: the aggregator at " + aggregator.address()
                                + " refused: not for you (PERMISSION_DENIED)");
    }

    @Test
    void eachStreamGoesOnFromItsOwnToken() throws Exception {
        watch("--resume-token", "oom=store1/0,exit=store1/5");
        assertThat(aggregator.nextWatch().getResumeToken()).isEqualTo("store1/0");
        assertThat(aggregator.exits.nextWatch().getResumeToken()).isEqualTo("store1/5");
    }

    @Test
    void endsAreCountedByCauseAndCode() {
        aggregator.exits.summary = SummarizeEventsResponse.newBuilder()
                .addGroups(EventGroup.newBuilder()
                        .setKey(GroupKey.newBuilder()
                                .setCause(ExitEvent.Cause.STOP_TIMEOUT)
                                .setExitCode(137))
                        .setCounts(counts(12, 12, 0)))
                .setTotal(EventGroup.newBuilder().setCounts(counts(14, 13, 1)))
                .build();
        assertThat(run("summary", "--kind", "exit", "--pod", "p")).isZero();
        assertThat(aggregator.exits.summaries)
                .containsExactly(SummarizeExitsRequest.newBuilder()
                        .setFilter(ExitFilter.newBuilder().setPod("p"))
                        .addBy(Dimension.CAUSE)
                        .addBy(Dimension.EXIT_CODE)
                        .setMaxGroups(100)
                        .build());
        assertThat(session.out())
                .containsExactly(
                        "CAUSE         EXIT CODE  ENDS  SIGKILL  OOM  FIRST (UTC)              LAST (UTC)",
                        "stop timeout  137          12       12    0  2026-05-01 12:30:00.125  2026-05-01 12:30:00.125",
                        "all                        14       13    1  2026-05-01 12:30:00.125  2026-05-01 12:30:00.125");
    }

    private static EventCounts counts(long ends, long kills, long ooms) {
        return EventCounts.newBuilder()
                .setEvents(ends)
                .setKills(kills)
                .setOoms(ooms)
                .setFirstTime(Events.TIME)
                .setLastTime(Events.TIME)
                .build();
    }
}
