package dev.exit137.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.AgentStatus.CgroupMode;
import dev.exit137.proto.v1.Losses;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Certainty;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What the agent watches, what it says of that, and what it can do with less. */
class SourcesTest extends AgentBed {
    private final List<OomKillEvent> others = new ArrayList<>();

    @Test
    void theStatusSaysWhereItRunsWhatIsInUseAndThatNothingWasLost() throws Exception {
        start();
        AgentStatus status = anyStatus();

        assertThat(status.getNode())
                .isEqualTo(Node.newBuilder()
                        .setName("node-1")
                        .setCluster("cluster-1")
                        .setBootId(FakeHost.FIRST_BOOT)
                        .setKernelRelease("6.1.0-fake")
                        .build());
        assertThat(status.getCgroupMode()).isEqualTo(CgroupMode.V2);
        assertThat(status.getWatchedCgroups()).isEqualTo(3);
        assertThat(status.getSourcesList())
                .startsWith(active("kmsg"), active("memory.events"), active("vmstat"))
                .endsWith(active("spool"))
                .filteredOn(source -> source.getName().equals("cri"))
                .singleElement()
                .matches(cri -> cri.getState() == State.UNAVAILABLE)
                .matches(cri -> cri.getDetail().contains(criSocket().toString()));
        assertThat(status.getBalance().hasVmstatOomKill()).isTrue();
        assertThat(status.getBalance().getUnaccounted()).isZero();
        assertThat(status.getLosses()).isEqualTo(Losses.getDefaultInstance());
    }

    private AgentStatus anyStatus() throws Exception {
        return aggregator.nextStream().nextStatus(status -> true, others::add);
    }

    private static SourceStatus active(String name) {
        return SourceStatus.newBuilder().setName(name).setState(State.ACTIVE).build();
    }

    @Test
    void withoutTheKernelsLogTheStatusSaysWhyAndTheCounterStillTellsOfAKill() throws Exception {
        Path missing = directory.resolve("no-such-device");
        start(missing, host.cgroupRoot());
        AgentStream stream = aggregator.nextStream();
        SourceStatus kmsg = stream.nextStatus(status -> true, others::add).getSources(0);
        assertThat(kmsg.getName()).isEqualTo("kmsg");
        assertThat(kmsg.getState()).isEqualTo(State.UNAVAILABLE);
        assertThat(kmsg.getDetail()).contains(missing.toString(), "ENOENT", "--kmsg-path");

        host.count("/a");
        OomKillEvent event = stream.nextEvents(1).get(0);
        assertThat(event.getCgroupPath()).isEqualTo("/a");
        assertThat(event.getEvidenceList()).containsExactly(Evidence.MEMORY_EVENTS);
        assertThat(event.getCertainty()).isEqualTo(Certainty.SINGLE_SOURCE);
        assertThat(event.hasVictim()).isFalse();
    }

    @Test
    void withoutCgroupsTheStatusSaysWhyAndTheLogStillTellsOfAKill() throws Exception {
        start(host.kmsg.path(), directory.resolve("no-such-mount"));
        AgentStream stream = aggregator.nextStream();
        AgentStatus status = stream.nextStatus(any -> true, others::add);
        assertThat(status.getCgroupMode()).isEqualTo(CgroupMode.NONE);
        assertThat(status.getSources(1).getState()).isEqualTo(State.UNAVAILABLE);
        assertThat(status.getSources(1).getDetail()).contains("--cgroup-root", "no-such-mount");

        host.kill("/a", 11);
        OomKillEvent event = stream.nextEvents(1).get(0);
        assertThat(event.getVictim().getPid()).isEqualTo(11);
        assertThat(event.getCgroupPath()).isEqualTo("/a");
        assertThat(event.getCertainty()).isEqualTo(Certainty.SINGLE_SOURCE);
    }

    @Test
    void withNeitherTheStartFailsNamesBothReasonsAndGivesTheStateDirectoryFree() throws Exception {
        Path missing = directory.resolve("no-such-device");
        Path notMounted = directory.resolve("no-such-mount");

        assertThatThrownBy(() -> start(missing, notMounted))
                .isInstanceOf(IOException.class)
                .hasMessageContainingAll(missing.toString(), "ENOENT", notMounted.toString());
        start();
        assertThat(anyStatus().getCgroupMode()).isEqualTo(CgroupMode.V2);
    }
}
