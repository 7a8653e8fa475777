package dev.exit137.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.EventFilter;
import dev.exit137.proto.v1.KillBalance;
import dev.exit137.proto.v1.ListEventsRequest;
import dev.exit137.proto.v1.Losses;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.NodeState;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.Task;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class QueryTest {
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
    void aListLongerThanAPageIsFetchedToItsEndNewestFirst() {
        for (int pid = 1; pid <= 450; pid++) {
            aggregator.store(Events.inCgroup(pid).build());
        }
        assertThat(run("list", "--limit", "1000", "-o", "json")).isZero();
        assertThat(session.out()).hasSize(450);
        assertThat(session.out().getFirst()).contains("boot/kmsg/450\"");
        assertThat(session.out().getLast()).contains("boot/kmsg/1\"");
        assertThat(aggregator.lists).extracting(ListEventsRequest::getPageToken).containsExactly("", "200", "400");
    }

    @Test
    void aListThatIsCutAtItsLimitSaysThatThereIsMore() {
        for (int pid = 1; pid <= 300; pid++) {
            aggregator.store(Events.inCgroup(pid).build());
        }
        assertThat(run("list", "--limit", "250", "-o", "json")).isZero();
        assertThat(session.out()).hasSize(250);
        assertThat(session.err()).containsExactly("exit137: there are more; --limit 250 was reached");
    }

    @Test
    void anEmptyListLeavesStdoutEmptyAndSaysSo() {
        assertThat(run("list")).isZero();
        assertThat(session.out()).isEmpty();
        assertThat(session.err()).containsExactly("exit137: no events match");
    }

    @Test
    void everyFilterReachesTheAggregatorAndAgesAreCountedBackFromNow() {
        assertThat(run(
                        "list",
                        "--node",
                        "n",
                        "--namespace",
                        "s",
                        "--pod",
                        "p",
                        "--container",
                        "c",
                        "--scope",
                        "memcg,GLOBAL",
                        "--since",
                        "2h",
                        "--until",
                        "2026-05-01T14:00:00+02:00"))
                .isZero();
        assertThat(aggregator.lists.getFirst().getFilter())
                .isEqualTo(EventFilter.newBuilder()
                        .setNode("n")
                        .setNamespace("s")
                        .setPod("p")
                        .setContainer("c")
                        .addScopes(Scope.MEMCG)
                        .addScopes(Scope.GLOBAL)
                        .setSince(timestamp(Events.INSTANT.minus(Duration.ofHours(2))))
                        .setUntil(timestamp(Instant.parse("2026-05-01T12:00:00Z")))
                        .build());
    }

    private static Timestamp timestamp(Instant instant) {
        return EventFactory.timestamp(instant);
    }

    @Test
    void anEmptyTimeRangeIsBadUsage() {
        assertThat(run("list", "--since", "1h", "--until", "2h")).isEqualTo(2);
        assertThat(session.err()).first().asString().contains("--since").contains("must be earlier than --until");
        assertThat(aggregator.lists).isEmpty();
    }

    @Test
    void anEventIsShownWithAllThatIsKnownOfIt() {
        aggregator.store(
                Events.inCgroup(7).setExplanation("It asked for too much.").build());
        assertThat(run("get", "boot/kmsg/7")).isZero();
        assertThat(session.out())
                .containsExactly(
                        "event      boot/kmsg/7 (revision 1)",
                        "time       2026-05-01 12:30:00.125",
                        "node       node-1",
                        "kernel     6.1.0",
                        "where      /scratch",
                        "cgroup     /scratch",
                        "victim     tail(7), held 31.4 MiB",
                        "limit      cgroup 32.0 MiB /scratch",
                        "incident   boot/incident/1, kills so far: 1",
                        "certainty  confirmed (kmsg summary, memory events)",
                        "why        It asked for too much.");
    }

    @Test
    void aLongSentenceGoesOnUnderItsBeginning() {
        aggregator.store(Events.inCgroup(7)
                .setExplanation("It asked for " + "much and ".repeat(10) + "more.")
                .build());
        assertThat(run("get", "boot/kmsg/7")).isZero();
        assertThat(session.out())
                .endsWith(
                        "why        It asked for much and much and much and much and much and much and much and much and much",
                        "           and much and more.");
    }

    @Test
    void getShowsWhereTheMemoryWasAndWhoHeldIt() throws Exception {
        OomKillEvent.Builder event = Events.inCgroup(7);
        event.getIncidentBuilder()
                .addTasks(Task.newBuilder()
                        .setPid(5)
                        .setComm("redis")
                        .setRssBytes(24 << 20)
                        .setContainer(Container.newBuilder().setName("cache")))
                .getMemoryBuilder()
                .setAnonBytes(24 << 20);
        aggregator.store(event.build());
        assertThat(run("get", "boot/kmsg/7")).isZero();
        assertThat(session.out())
                .anySatisfy(line -> assertThat(line).matches("  memory   anonymous memory +24\\.0 MiB +75 %  █{18}"));
        assertThat(session.out()).anySatisfy(line -> assertThat(line).matches(" +5  redis +24\\.0 MiB +75 % .* cache"));
    }

    @Test
    void getSaysHowLongBeforeTheKillTheMemoryWasRead() throws Exception {
        OomKillEvent.Builder event = Events.inCgroup(7);
        event.getIncidentBuilder()
                .getMemorySampleBuilder()
                .setCgroup("/scratch")
                .setAgeNanos(3_040_000_000L)
                .setUsageBytes(30 << 20)
                .setLimitBytes(32 << 20);
        event.getIncidentBuilder().getMemoryBuilder().setAnonBytes(24 << 20);
        aggregator.store(event.build());
        assertThat(run("get", "boot/kmsg/7")).isZero();
        assertThat(session.out())
                .contains("  memory   read 3.0 s before the kill: 30.0 MiB of 32.0 MiB in use")
                .anySatisfy(line -> assertThat(line).matches(" +held by the victim +31\\.4 MiB +98 %  █+"));
    }

    @Test
    void anEventThatIsNotThereIsAFailureInOneLine() {
        assertThat(run("get", "nothing")).isEqualTo(1);
        assertThat(session.err())
                .containsExactly("exit137: the aggregator at " + aggregator.address()
                        + " refused: no event has this id (NOT_FOUND)");
    }

    @Test
    void aNodeThatLostSomethingOrIsGoneSaysSo() {
        aggregator.nodes.add(NodeState.newBuilder()
                .setStatus(status("node-1").setBalance(KillBalance.newBuilder().setVmstatOomKill(3)))
                .setLastSeen(Events.TIME)
                .setConnected(true)
                .build());
        aggregator.nodes.add(NodeState.newBuilder()
                .setStatus(status("worker-with-a-long-name")
                        .addSources(SourceStatus.newBuilder()
                                .setName("kmsg")
                                .setState(SourceStatus.State.UNAVAILABLE)
                                .setDetail("permission denied"))
                        .setLosses(Losses.newBuilder().setKmsgRecordsOverwritten(12)))
                .setLastSeen(timestamp(Events.INSTANT.minusSeconds(200)))
                .build());
        assertThat(run("nodes")).isZero();
        assertThat(session.out())
                .containsExactly(
                        "NODE                     STATE        VERSION  KERNEL  CGROUP  WATCHED  UNSENT  UNACCOUNTED  "
                                + "SOURCES AND LOSSES",
                        "node-1                   connected    0.1.0    6.1.0   v2      9        0       0            all well",
                        "worker-with-a-long-name  gone for 3m  0.1.0    6.1.0   v2      9        0       -            "
                                + "kmsg unavailable: permission denied; kmsg records overwritten: 12");
    }

    @ParameterizedTest
    @CsvSource({"text, 6", "json, 5"})
    void nodesThatAreTooManyForAMessageAreAllListed(String format, int lines) {
        for (int i = 0; i < 5; i++) {
            aggregator.nodes.add(NodeState.newBuilder()
                    .setStatus(status("node-" + i))
                    .setConnected(true)
                    .build());
        }
        aggregator.nodesPerPage = 2;

        assertThat(run("nodes", "-o", format)).isZero();

        assertThat(session.out()).hasSize(lines);
        assertThat(session.out().getLast()).contains("node-4");
        assertThat(session.err()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"text", "json"})
    void whatTheAggregatorItselfSurvivedIsSaidBesideItsNodes(String format) {
        aggregator.nodes.add(NodeState.newBuilder().setStatus(status("node-1")).build());
        aggregator.internalErrors.put("store", 2L);
        aggregator.internalErrors.put("query", 1L);

        assertThat(run("nodes", "-o", format)).isZero();

        assertThat(session.out()).last().asString().contains("node-1");
        assertThat(session.err())
                .containsExactly(
                        "exit137: the aggregator itself: internal errors in query: 1; internal errors in store: 2; see its log");
    }

    private static AgentStatus.Builder status(String node) {
        return AgentStatus.newBuilder()
                .setNode(Node.newBuilder().setName(node).setKernelRelease("6.1.0"))
                .setAgentVersion("0.1.0")
                .setCgroupMode(AgentStatus.CgroupMode.V2)
                .setWatchedCgroups(9)
                .addSources(SourceStatus.newBuilder().setName("vmstat").setState(SourceStatus.State.ACTIVE));
    }
}
