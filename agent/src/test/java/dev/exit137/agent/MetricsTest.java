package dev.exit137.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.agent.container.FakeCri;
import dev.exit137.agent.delivery.EventSink;
import dev.exit137.daemon.http.Check;
import dev.exit137.proto.cri.v1.ContainerState;
import dev.exit137.proto.v1.OomKillEvent;
import java.lang.management.ManagementFactory;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What Prometheus and kubelet learn of a whole agent. */
class MetricsTest extends AgentBed {
    private static final String KILLS = "exit137_oom_kills_total";
    private static final String RECOVERED = "exit137_recovered_oom_kills_total";
    private static final String UNNAMED =
            "{container=\"\",limit_owner=\"cgroup\",namespace=\"\",scope=\"memcg\",workload=\"\"}";
    private static final String ID = "4f0c".repeat(16);
    private static final String CGROUP = "/kubepods/burstable/pod0f6f9a2c-1111-2222-3333-444455556666/" + ID;
    private static final String POD = "beef".repeat(16);
    private static final int MAIN = 1079;

    @Test
    void killsFromBeforeTheStartLookLikeNoNewOnes() throws Exception {
        host.kill("/a", 11);
        start();
        AgentStream stream = aggregator.nextStream();
        host.kill("/a", 12);
        stream.acknowledge(stream.nextEvents(2));

        assertThat(counted(RECOVERED)).containsExactly(Map.entry(UNNAMED, 1.0));
        assertThat(counted(KILLS)).containsExactly(Map.entry(UNNAMED, 1.0));
        assertThat(counted("exit137_oom_kill_memory_bytes_count")).containsExactly(Map.entry("", 1.0));
        assertThat(counted("exit137_send_latency_seconds_count")).containsExactly(Map.entry("", 1.0));
    }

    @Test
    void aKillThatIsToldTwiceBecauseItsRuntimeWasLateCountsOnceByItsName() throws Exception {
        host.cgroup(CGROUP);
        try (FakeCri cri = new FakeCri(criSocket())) {
            cri.sandbox(POD, "cart-0", Map.of("app", "cart"));
            cri.container(ID, POD, "web", 2, ContainerState.CONTAINER_RUNNING, MAIN);
            cri.keepSilent(true);
            cri.start();
            start();
            AgentStream stream = aggregator.nextStream();
            host.kill(CGROUP, MAIN);
            OomKillEvent unnamed = stream.nextEvents(1).getFirst();
            assertThat(unnamed.getContainer().getName()).isEmpty();

            cri.container(ID, POD, "web", 2, ContainerState.CONTAINER_EXITED, 0);
            cri.keepSilent(false);
            assertThat(stream.nextEvents(1).getFirst().getContainer().getName()).isEqualTo("web");
            assertThat(counted(KILLS))
                    .containsExactly(Map.entry(
                            "{container=\"web\",limit_owner=\"container\",namespace=\"shop\",scope=\"memcg\",workload=\"cart\"}",
                            1.0));
        }
    }

    /** The container, its pod and its cgroup are gone by then. */
    @Test
    void aKillStaysCountedAfterItsEventHasLeftTheAgent() throws Exception {
        start();
        AgentStream stream = aggregator.nextStream();
        host.kill("/a", 11);
        stream.acknowledge(stream.nextEvents(1));
        awaitCheckpointOfAll(0);

        assertThat(counted(KILLS)).containsExactly(Map.entry(UNNAMED, 1.0));
        assertThat(counted("exit137_spool_events")).isEmpty();
    }

    @Test
    void lossesAndBooksAreThoseOfTheStatus() throws Exception {
        start();
        AgentStream stream = aggregator.nextStream();
        host.kill("/a", 11);
        stream.acknowledge(stream.nextEvents(1));
        host.kmsg.overwrite(7);
        host.kill("/a", 12);
        stream.acknowledge(stream.nextEvents(1));
        settled(stream, event -> {});

        assertThat(counted("exit137_losses_total"))
                .containsEntry("{kind=\"kmsg_records_overwritten\"}", 7.0)
                .containsEntry("{kind=\"kills_without_record\"}", 1.0);
        assertThat(Scrape.of(observed().metrics()))
                .containsEntry("exit137_unaccounted_kills", 0.0)
                .containsEntry("exit137_aggregator_connected", 1.0)
                .containsEntry("exit137_source_in_use{source=\"kmsg\"}", 1.0)
                .containsEntry("exit137_source_in_use{source=\"memory.events\"}", 1.0)
                .containsEntry("exit137_source_in_use{source=\"cri\"}", 0.0)
                .containsEntry(
                        "exit137_agent_info{cgroup_version=\"v2\",kernel_release=\"6.1.0-fake\",version=\"\"}", 1.0);
    }

    /** What a restart does not mend must not lead to one. */
    @Test
    void anAgentWithoutAggregatorAndRuntimeAndWithAFullDiskIsAliveAndReady() throws Exception {
        breakTheSpool();
        start();
        aggregator.close();
        host.kill("/a", 11);
        Await.until("the kill is counted", () -> counted(KILLS).size(), size -> size == 1);

        for (int look = 0; look < 3; look++) {
            assertThat(observed().alive())
                    .extracting(Check::toString)
                    .containsExactly("agent-epoll ok", "agent-worker ok");
        }
        List<Check> ready = Await.until(
                "the troubles",
                () -> observed().ready(),
                checks -> says(checks, "spool unavailable: cannot write") && says(checks, "aggregator away since "));
        assertThat(ready).allMatch(Check::passed);
        assertThat(ready).extracting(Check::toString).contains("watching ok", "kmsg ok", "memory.events ok");
        assertThat(says(ready, "cri unavailable: no container runtime")).isTrue();
    }

    @Test
    void aProbeWaitsForNoBusyThreadAndSaysOfWhenItsAnswerIs() throws Exception {
        CountDownLatch goOn = new CountDownLatch(1);
        CountDownLatch busy = new CountDownLatch(1);
        told = new BlockingSink(busy, goOn);
        try {
            start();
            String first = Await.until("a state", this::state, state -> !state.equals("not known yet"));
            host.kill("/a", 11);
            assertThat(busy.await(Await.PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();

            long before = timesThisThreadWaited();
            for (int look = 0; look < 100; look++) {
                assertThat(observed().ready()).extracting(Check::toString).contains("watching ok", "kmsg ok");
            }
            assertThat(timesThisThreadWaited()).isEqualTo(before);
            assertThat(first).startsWith("as of ");
        } finally {
            goOn.countDown();
        }
        Instant freed = clock.instant();
        Await.until("a newer state", this::state, state -> timeOf(state).isAfter(freed));
    }

    private String state() {
        return observed().ready().stream()
                .filter(check -> check.name().equals("state"))
                .findFirst()
                .orElseThrow()
                .detail();
    }

    private static Instant timeOf(String state) {
        return Instant.parse(state.substring("as of ".length()));
    }

    private static long timesThisThreadWaited() {
        return ManagementFactory.getThreadMXBean()
                .getThreadInfo(Thread.currentThread().threadId())
                .getWaitedCount();
    }

    /** Keeps the agent-worker thread. */
    private record BlockingSink(CountDownLatch busy, CountDownLatch goOn) implements EventSink {
        @Override
        public void add(OomKillEvent event) {
            busy.countDown();
            try {
                if (!goOn.await(2 * Await.PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
                    throw new AssertionError("the test did not go on");
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        public long dropped() {
            return 0;
        }

        @Override
        public void close() {
            // Nothing is open.
        }
    }

    @Test
    void anAgentWhoseThreadsHaveEndedIsNotAlive() throws Exception {
        start();
        var ended = observed();
        stop();
        assertThat(ended.alive()).contains(Check.failed("agent-epoll", "has ended"));
        start();
    }

    private static boolean says(List<Check> checks, String line) {
        return checks.stream().anyMatch(check -> check.toString().startsWith(line));
    }

    private Map<String, Double> counted(String metric) {
        return Scrape.counted(observed().metrics(), metric);
    }
}
