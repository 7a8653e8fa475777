package dev.exit137.agent.correlate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Limit.Owner;
import dev.exit137.proto.v1.NodeMemory;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import dev.exit137.proto.v1.Zone;
import org.junit.jupiter.api.Test;

/** The log ends within the report: what ran out was still to be printed. */
class ReportWithoutItsEndTest {
    private static final Incident NODE_MEMORY =
            Incident.newBuilder().setNodeMemory(NodeMemory.getDefaultInstance()).build();

    @Test
    void theMemoryOfAnUnconfinedNodeTellsThatTheNodeRanOut() {
        OomKillEvent event = withBlocks("/", "0", NODE_MEMORY);
        assertThat(event.getScope()).isEqualTo(Scope.GLOBAL);
        assertThat(event.getIncident().getLimit().getOwner()).isEqualTo(Owner.NODE);
    }

    @Test
    void aKernelWithoutNumaConfinesNothing() {
        assertThat(withBlocks("", "", withZone(Zone.newBuilder())).getScope()).isEqualTo(Scope.GLOBAL);
        assertThat(withBlocks("", "", withZone(Zone.newBuilder().setNumaNode(0)))
                        .getScope())
                .isEqualTo(Scope.UNKNOWN);
    }

    @Test
    void aPolicyMayHaveConfinedTheTriggerToOneOfSeveralNumaNodes() {
        assertThat(withBlocks("/", "0-1", NODE_MEMORY).getScope()).isEqualTo(Scope.UNKNOWN);
    }

    @Test
    void aCpusetMayHaveOneOfSeveralNumaNodes() {
        assertThat(withBlocks("batch", "0", NODE_MEMORY).getScope()).isEqualTo(Scope.UNKNOWN);
    }

    @Test
    void withoutTheNodesMemoryItMayBeACgroupsLimit() {
        assertThat(withBlocks("/", "0", Incident.getDefaultInstance()).getScope())
                .isEqualTo(Scope.UNKNOWN);
    }

    private static Incident withZone(Zone.Builder zone) {
        return Incident.newBuilder()
                .setNodeMemory(NodeMemory.newBuilder().addZones(zone))
                .build();
    }

    private static OomKillEvent withBlocks(String cpuset, String memsAllowed, Incident blocks) {
        OomKillEvent.Builder event = OomKillEvent.newBuilder().setScope(Scope.UNKNOWN);
        event.getIncidentBuilder().setCpuset(cpuset).setMemsAllowed(memsAllowed);
        EventFactory.addBlocks(event, blocks);
        return event.build();
    }
}
