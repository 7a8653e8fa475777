package dev.exit137.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.agent.container.FakeCri;
import dev.exit137.agent.delivery.EventSink;
import dev.exit137.proto.cri.v1.ContainerState;
import dev.exit137.proto.v1.OomKillEvent;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Who asks the agent itself for its events is told each once, whatever becomes of the aggregator. */
class ToldEventsTest extends AgentBed {
    private static final String ID = "4f0c".repeat(16);
    private static final String POD = "beef".repeat(16);
    private static final String CGROUP = "/kubepods/burstable/pod0f6f9a2c-1111-2222-3333-444455556666/" + ID;
    private static final int MAIN = 1079;

    private final List<OomKillEvent> events = new CopyOnWriteArrayList<>();

    @BeforeEach
    void ask() {
        told = new EventSink() {
            @Override
            public void add(OomKillEvent event) {
                events.add(event);
            }

            @Override
            public long dropped() {
                return 7;
            }

            @Override
            public void close() {
                // Nothing is open.
            }
        };
    }

    private List<OomKillEvent> awaitEvents(int count) {
        return Await.until(count + " events told", () -> events, all -> all.size() >= count);
    }

    @Test
    void withoutAnyAggregatorEachKillIsToldOnceAndNotAgainThoughACrashLosesTheCheckpoint() throws Exception {
        aggregator.goAway();
        start();
        host.kill("/a", 1001);
        host.kill("/a", 1002);
        awaitEvents(2);
        awaitCheckpointOfAll(2);
        crash();
        Files.delete(stateDir.resolve("checkpoint"));
        host.kmsg.replay();
        start();
        host.kill("/a", 1003);
        assertThat(awaitEvents(3))
                .extracting(event -> event.getVictim().getPid())
                .containsExactly(1001, 1002, 1003);
        assertThat(events)
                .allSatisfy(event -> assertThat(event.getNode().getCluster()).isEqualTo("cluster-1"));
    }

    @Test
    void whatCouldNotBeToldIsALossInTheStatus() throws Exception {
        start();
        assertThat(aggregator
                        .nextStream()
                        .nextStatus(status -> true, event -> {})
                        .getLosses()
                        .getLogEventsDropped())
                .isEqualTo(7);
    }

    @Test
    void whileTheRuntimeHangsAKillIsToldWithoutItsNameAndAgainInAHigherRevision() throws Exception {
        try (FakeCri cri = runtime()) {
            cri.keepSilent(true);
            cri.start();
            start();
            host.kill(CGROUP, MAIN);
            assertThat(awaitEvents(1).getFirst().getContainer().getName()).isEmpty();
            cri.container(ID, POD, "web", 2, ContainerState.CONTAINER_EXITED, 0);
            cri.keepSilent(false);
            OomKillEvent named = awaitEvents(2).get(1);
            assertThat(named.getContainer().getName()).isEqualTo("web");
            assertThat(named.getEventId()).isEqualTo(events.getFirst().getEventId());
            assertThat(named.getRevision()).isGreaterThan(events.getFirst().getRevision());
        }
    }

    private FakeCri runtime() {
        host.cgroup(CGROUP);
        FakeCri cri = new FakeCri(criSocket());
        cri.sandbox(POD, "cart-0", Map.of("app", "cart"));
        cri.container(ID, POD, "web", 2, ContainerState.CONTAINER_RUNNING, MAIN);
        return cri;
    }
}
