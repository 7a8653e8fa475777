package dev.exit137.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.agent.container.FakeCri;
import dev.exit137.proto.cri.v1.ContainerState;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A kill never waits long for the container's runtime, and is told again when the runtime is late. */
class NamesTest extends AgentBed {
    private static final String ID = "4f0c".repeat(16);
    private static final String POD_CGROUP = "/kubepods/burstable/pod0f6f9a2c-1111-2222-3333-444455556666";
    private static final String CGROUP = POD_CGROUP + "/" + ID;
    private static final String POD = "beef".repeat(16);
    private static final int MAIN = 1079;
    private FakeCri cri;

    @BeforeEach
    void makeTheRuntime() {
        host.cgroup(CGROUP);
        cri = new FakeCri(criSocket());
        cri.sandbox(POD, "cart-0", Map.of("app", "cart"));
        cri.container(ID, POD, "web", 2, ContainerState.CONTAINER_RUNNING, MAIN);
    }

    @AfterEach
    void endTheRuntime() throws InterruptedException {
        cri.close();
    }

    @Test
    void whileTheRuntimeHangsAKillIsToldByItsPathAndAgainWithItsNameWhenTheRuntimeGoesOn() throws Exception {
        cri.keepSilent(true);
        cri.start();
        start();
        AgentStream stream = aggregator.nextStream();
        host.kill(CGROUP, MAIN);

        OomKillEvent first = stream.nextEvents(1).getFirst();
        stream.acknowledge(first);
        assertThat(first.getContainer().getId()).isEqualTo(ID);
        assertThat(first.getContainer().getName()).isEmpty();
        assertThat(first.getEvidenceList()).doesNotContain(Evidence.CRI);

        cri.container(ID, POD, "web", 2, ContainerState.CONTAINER_EXITED, 0);
        cri.keepSilent(false);
        OomKillEvent second = stream.nextEvents(1).getFirst();
        assertThat(second.getEventId()).isEqualTo(first.getEventId());
        assertThat(second.getRevision()).isGreaterThan(first.getRevision());
        assertThat(second.getContainer().getName()).isEqualTo("web");
        assertThat(second.getContainer().getPod().getName()).isEqualTo("cart-0");
        assertThat(second.getEvidenceList()).contains(Evidence.CRI);
    }

    @Test
    void anEventThatWaitsForItsNameIsNotLostInACrash() throws Exception {
        cri.keepSilent(true);
        cri.start();
        start();
        aggregator.nextStream();
        host.kill(CGROUP, MAIN);

        awaitCheckpointOfAll(1);
    }

    /** The runtime told the name while the container was being made, and hangs since. */
    @Test
    void whoseNameIsKnownButNotItsMainProcessIsToldByNameAndAgainWithWhatTheKillMeans() throws Exception {
        cri.container(ID, POD, "web", 2, ContainerState.CONTAINER_CREATED, 0);
        cri.start();
        start();
        AgentStream stream = aggregator.nextStream();
        host.process(CGROUP, MAIN);
        // The second question comes after the first answer was looked at.
        Await.until("another question for the main process", cri::statuses, asked -> asked > 1);
        cri.keepSilent(true);
        host.kill(CGROUP, MAIN + 1);

        OomKillEvent first = stream.nextEvents(1).getFirst();
        stream.acknowledge(first);
        assertThat(first.getContainer().getName()).isEqualTo("web");
        assertThat(first.getVictim().hasIsContainerInit()).isFalse();

        cri.container(ID, POD, "web", 2, ContainerState.CONTAINER_RUNNING, MAIN);
        cri.keepSilent(false);
        OomKillEvent second = stream.nextEvents(1).getFirst();
        assertThat(second.getRevision()).isEqualTo(2);
        assertThat(second.getVictim().hasIsContainerInit()).isTrue();
        assertThat(second.getVictim().getIsContainerInit()).isFalse();
    }
}
