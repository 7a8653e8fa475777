package dev.exit137.oomreport.explain;

import static dev.exit137.oomreport.explain.Reports.GIB;
import static dev.exit137.oomreport.explain.Reports.MIB;
import static dev.exit137.oomreport.explain.Reports.explanation;
import static dev.exit137.oomreport.explain.Reports.fullZones;
import static dev.exit137.oomreport.explain.Reports.global;
import static dev.exit137.oomreport.explain.Reports.recommendations;
import static dev.exit137.oomreport.explain.Reports.trigger;
import static dev.exit137.oomreport.explain.Reports.zone;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.oomreport.event.CgroupPath;
import dev.exit137.oomreport.event.MemoryRequest;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Why the kernel chose that one when the node had no memory: kubelet's oom_score_adj, and limits that are not there. */
class NodeChoiceTest {
    private static final long NODE = 16 * GIB;
    private static final String CONTAINER = Reports.POD + "/" + Reports.CONTAINER;
    private static final String GUARANTEED = "/kubepods/pod84c5437e-9503-4b52-8470-984c54f7e9f3/" + Reports.CONTAINER;

    /** kubelet: 1000 - (1000 * memoryRequest) / memoryCapacity, in whole numbers. */
    @ParameterizedTest
    @CsvSource({"1, 999", "20, 999", "64, 997", "1024, 938", "4096, 750", "8191, 501", "16300, 6"})
    void whatKubeletMadeOfARequestLeadsBackToIt(long requestMib, int kubeletsAdj) {
        long request = requestMib * MIB;
        assertThat(Math.min(999, 1000 - 1000 * request / NODE)).isEqualTo(kubeletsAdj);
        OomKillEvent.Builder event = at(CONTAINER, kubeletsAdj);
        assertThat(Math.abs(event.getContainer().getMemoryRequestEstimateBytes() - request))
                .isLessThanOrEqualTo(event.getContainer().getMemoryRequestErrorBytes() + 1000);
    }

    @ParameterizedTest
    @CsvSource({"1000", "3", "2", "0", "-997"})
    void whatSaysTheSameOfAnyRequestEstimatesNone(int adj) {
        assertThat(at(CONTAINER, adj).getContainer().hasMemoryRequestEstimateBytes())
                .isFalse();
    }

    @Test
    void onlyABurstablePodsContainerHasAnEstimate() {
        assertThat(at(GUARANTEED, 900).getContainer().hasMemoryRequestEstimateBytes())
                .isFalse();
        assertThat(at("/kubepods/besteffort/pod84c5437e-9503-4b52-8470-984c54f7e9f3/" + Reports.CONTAINER, 900)
                        .getContainer()
                        .hasMemoryRequestEstimateBytes())
                .isFalse();
        assertThat(at("/system.slice/nginx.service", 900).hasContainer()).isFalse();
        OomKillEvent.Builder event = at(CONTAINER, 900).clearContainer();
        CgroupPath.describe(event);
        MemoryRequest.estimate(event, 0);
        assertThat(event.getContainer().hasMemoryRequestEstimateBytes())
                .as("a node of unknown size")
                .isFalse();
    }

    @Test
    void victimUnderItsRequestIsCalledInnocent() {
        OomKillEvent.Builder event = at(CONTAINER, 500);
        assertThat(explanation(event))
                .isEqualTo(
                        "The kernel killed java (pid 815) in container 024952d653ef, which held 6.0 GiB, because the node ran "
                                + "out of memory. It held about 2.0 GiB less than its container had requested (estimated from oom_score_adj "
                                + "500), so others filled the node.");
        assertThat(recommendations(event))
                .containsExactly(
                        "Look for what holds more than it requested, since the victim did not: java (pid 815) held "
                                + "6.0 GiB, the request is about 8.0 GiB (estimated from oom_score_adj 500)");
    }

    @Test
    void victimOverItsRequestIsWhyItWasChosen() {
        OomKillEvent.Builder event = at(CONTAINER, 938);
        event.getIncidentBuilder().getMemoryBuilder().setAnonBytes(14 * GIB);
        event.getIncidentBuilder().getNodeMemoryBuilder().addAllZones(fullZones());
        assertThat(explanation(event))
                .endsWith(
                        " It held about 5.0 GiB more than its container had requested (estimated from oom_score_adj 938), "
                                + "which made it the one to kill.");
        assertThat(recommendations(event))
                .contains(
                        "Request as much memory as the container needs, since a process above its container's request goes "
                                + "first: java (pid 815) held 6.0 GiB, the request is about 1015.8 MiB (estimated from oom_score_adj 938)")
                .anyMatch(advice -> advice.contains("14.0 GiB (88 % of RAM) was anonymous memory"));
    }

    @Test
    void whatIsWithinTheEstimatesErrorIsNotSaid() {
        assertThat(explanation(at(CONTAINER, 625))).doesNotContain("requested");
    }

    @Test
    void requestIsNoReasonWhereTheNodeHadMemory() {
        OomKillEvent.Builder fragmented = at(CONTAINER, 500);
        trigger(fragmented, "java", 815, "0x40cc0(GFP_KERNEL|__GFP_COMP)", 3);
        fragmented
                .getIncidentBuilder()
                .getNodeMemoryBuilder()
                .addZones(zone(0, "Normal", 900 * MIB, 40 * MIB, List.of(), 200_000, 30_000, 0, 0, 0));
        assertThat(recommendations(fragmented)).noneMatch(advice -> advice.contains("request is"));
        OomKillEvent.Builder ownLimit = at(CONTAINER, 500).setScope(Scope.MEMCG);
        assertThat(recommendations(ownLimit)).noneMatch(advice -> advice.contains("request is"));
        OomKillEvent.Builder askedFor = at(CONTAINER, 500);
        trigger(askedFor, "kworker/0:1", 33, "0xcc0(GFP_KERNEL)", -1);
        assertThat(recommendations(askedFor)).noneMatch(advice -> advice.contains("request is"));
    }

    @Test
    void victimWithoutALimitIsAdvisedOne() {
        OomKillEvent.Builder event = at(GUARANTEED, 0);
        event.getAfterKillBuilder().setMaxBytes(-1);
        assertThat(recommendations(event))
                .containsExactly(
                        "Give the victim a memory limit, so that it cannot take the memory of others: container "
                                + "024952d653ef has none of its own, java (pid 815) held 6.0 GiB");
    }

    @Test
    void innocentVictimIsNotAdvisedALimit() {
        OomKillEvent.Builder event = at(CONTAINER, 500);
        event.getAfterKillBuilder().setMaxBytes(-1);
        assertThat(recommendations(event)).hasSize(1).noneMatch(advice -> advice.startsWith("Give the victim"));
    }

    @Test
    void limitThatIsThereOrIsNotKnownIsNotMissed() {
        OomKillEvent.Builder event = at(GUARANTEED, 0);
        assertThat(recommendations(event)).isEmpty();
        event.getAfterKillBuilder().setMaxBytes(8 * GIB);
        assertThat(recommendations(event)).isEmpty();
    }

    private static OomKillEvent.Builder at(String cgroup, int adj) {
        OomKillEvent.Builder event = global().setCgroupPath(cgroup);
        event.getVictimBuilder().setOomScoreAdj(adj);
        event.getIncidentBuilder().setTaskMemcg(cgroup);
        CgroupPath.describe(event);
        MemoryRequest.estimate(event, NODE);
        return event;
    }
}
