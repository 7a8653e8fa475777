package dev.exit137.oomreport.dump;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.MemcgStat;
import dev.exit137.proto.v1.MemoryBreakdown;
import dev.exit137.proto.v1.NumaNode;
import dev.exit137.proto.v1.Task;
import org.junit.jupiter.api.Test;

/** Reports that our own kernels printed. */
class RecordedDumpsTest {
    @Test
    void theNodesMemoryOfAGlobalOom() {
        Incident incident = Reports.readFixture("uml-6.1-global.kmsg");
        assertThat(incident.getMemory())
                .isEqualTo(MemoryBreakdown.newBuilder()
                        .setAnonBytes(11042 * 4096)
                        .setFileBytes(3 * 4096)
                        .setShmemBytes(0)
                        .setSlabBytes(2508 * 4096)
                        .setSlabUnreclaimableBytes(2408 * 4096)
                        .setPagetablesBytes(44 * 4096)
                        .setKernelStackBytes(576 << 10)
                        .setSwapBytes(0)
                        .setFreeBytes(238 * 4096)
                        .build());
        assertThat(incident.getNodeMemory().getRamBytes()).isEqualTo(162469L * 4096);
        assertThat(incident.getNodeMemory().getZones(0).getName()).isEqualTo("Normal");
        assertThat(incident.getNodeMemory().getZones(0).getFreeBytes()).isEqualTo(238 * 4096);
        assertThat(incident.getNodeMemory().getZones(0).getMinBytes()).isEqualTo(956 << 10);
        assertThat(incident.getPageSizeAssumed()).isFalse();
        assertThat(incident.getTasksList())
                .extracting(Task::getComm)
                .containsExactly("glutton", "scenario", "kmsgtail");
        assertThat(incident.getTasks(0).getRssBytes()).isEqualTo(10998 * 4096);
        assertThat(incident.getMemcgStatsList()).isEmpty();
    }

    @Test
    void aV2CgroupsStatisticsInOneRecord() {
        Incident incident = Reports.readFixture("uml-6.1-memcg.kmsg");
        assertThat(incident.getMemcgStatsList()).hasSize(1);
        assertThat(incident.getMemcgStats(0).getCgroup())
                .startsWith("/kubepods.slice/")
                .endsWith("abcd11.scope");
        assertThat(incident.getMemcgStats(0).getStatMap())
                .hasSize(46)
                .containsEntry("pgfault", 4089L)
                .containsEntry("zswpout", 0L);
        assertThat(incident.getMemory())
                .isEqualTo(MemoryBreakdown.newBuilder()
                        .setAnonBytes(16736256)
                        .setFileBytes(0)
                        .setShmemBytes(0)
                        .setKernelBytes(40960)
                        .setSlabBytes(328)
                        .setSlabUnreclaimableBytes(328)
                        .setSockBytes(0)
                        .setPagetablesBytes(36864)
                        .setKernelStackBytes(0)
                        .setSwapBytes(0)
                        .build());
        assertThat(incident.hasNodeMemory()).isFalse();
        assertThat(incident.getTasksList()).extracting(Task::getComm).containsExactly("java");
    }

    @Test
    void aV1CgroupsStatisticsWithTotals() {
        Incident incident = Reports.readFixture("host-6.18-v1-memcg.kmsg");
        assertThat(incident.getMemcgStatsList())
                .extracting(MemcgStat::getCgroup)
                .containsExactly("/exit137-fixture-3766");
        assertThat(incident.getMemcgStats(0).getStatMap())
                .containsEntry("total_rss", 33427456L)
                .containsEntry("hierarchical_memsw_limit", 9223372036854771712L);
        assertThat(incident.getMemory().getAnonBytes()).isEqualTo(33427456);
        assertThat(incident.getMemory().getKernelBytes()).isEqualTo(124 << 10);
        assertThat(incident.getMemory().getSwapBytes()).isZero();
        assertThat(incident.getTasksList()).hasSize(1);
        assertThat(incident.getTasks(0).getRssAnonBytes()).isPositive();
    }

    @Test
    void theKernelStacksOfAllNodesAreTheNodes() {
        Incident incident = Reports.readFixture("debian-6.1-global-swap.kmsg");
        assertThat(incident.getNodeMemory().getNumaNodesCount()).isEqualTo(2);
        assertThat(incident.getNodeMemory().getZonesList())
                .extracting(zone -> zone.getNumaNode() + zone.getName())
                .containsExactly("0DMA", "0DMA32", "1DMA32");
        assertThat(incident.getNodeMemory().getHugepagesCount()).isEqualTo(4);
        assertThat(incident.getMemory().getKernelStackBytes()).isEqualTo(1024 << 10);
        assertThat(incident.getMemory().getSwapBytes()).isEqualTo(32764 << 10);
    }

    @Test
    void aMemoryPolicysReportShowsOneNodeOfTwoAndItsKernelStacksAreNotTheNodes() {
        Incident incident = Reports.readFixture("debian-6.1-mempolicy.kmsg");
        assertThat(incident.getNodeMemory().getNumaNodesList())
                .extracting(NumaNode::getNumaNode)
                .containsExactly(1);
        assertThat(incident.getMemory().getAnonBytes()).isEqualTo((797 + 22272 - 1001) * 4096);
        assertThat(incident.getMemory().hasKernelStackBytes()).isFalse();
        assertThat(incident.getMemory().hasHugepagesBytes()).isFalse();
    }

    @Test
    void aV1CgroupWithV2sStatisticsHasItsSwapFromItsUsage() {
        Incident incident = Reports.readFixture("debian-6.1-v1-memsw.kmsg");
        assertThat(incident.getMemory().getAnonBytes()).isEqualTo(16670720);
        assertThat(incident.getMemory().getSwapBytes()).isEqualTo((24456 - 16384) << 10);
        assertThat(incident.getTasks(0).getSwapBytes())
                .as("as its only task says")
                .isEqualTo(2018 * 4096);
    }
}
