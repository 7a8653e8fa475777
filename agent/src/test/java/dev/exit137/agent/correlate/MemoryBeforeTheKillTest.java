package dev.exit137.agent.correlate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.Incident;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where the memory was, of a kill whose report the kernel left out: as it was read before the kill, or nothing. */
class MemoryBeforeTheKillTest {
    private static final long MIB = 1L << 20;

    @TempDir
    Path directory;

    private FakeNode node;

    @BeforeEach
    void start() {
        node = new FakeNode(directory);
        node.cgroup("/pod");
        node.cgroup("/pod/a", 7);
        node.startLive();
    }

    @Test
    void aKillWithoutAReportHasWhatWasReadBeforeItWithItsAge() {
        node.uses("/pod/a", 30 * MIB);
        node.tick();
        node.pass(3000);
        node.counted("/pod/a", 1);
        node.killed(7);

        Incident sampled = node.sampled.getFirst().orElseThrow();
        assertThat(sampled.getMemory().getAnonBytes()).isEqualTo(30 * MIB);
        assertThat(sampled.getMemory().getKernelBytes()).isEqualTo(4096);
        assertThat(sampled.getMemory().hasSlabBytes())
                .as("a kernel without that line")
                .isFalse();
        assertThat(sampled.getMemorySample().getCgroup()).isEqualTo("/pod/a");
        assertThat(sampled.getMemorySample().getAgeNanos())
                .isEqualTo(Duration.ofSeconds(3).toNanos());
        assertThat(sampled.getMemorySample().getUsageBytes()).isEqualTo(30 * MIB);
        assertThat(sampled.getMemorySample().getLimitBytes()).isEqualTo(32 * MIB);
    }

    @Test
    void whatIsReadAfterTheKillWasCountedIsNotTakenForWhatWasBeforeIt() {
        node.uses("/pod/a", 30 * MIB);
        node.tick();
        node.counted("/pod/a", 1);
        node.uses("/pod/a", 17 * MIB);
        node.tick();
        node.killed(7);

        assertThat(node.sampled.getFirst().orElseThrow().getMemory().getAnonBytes())
                .isEqualTo(30 * MIB);
    }

    @Test
    void whatWasReadAfterTheRecordsTimeIsNotUsedThoughNoCounterShowsTheKill() {
        node.uses("/pod/a", 30 * MIB);
        node.tick();
        node.summary("/pod/a", "/pod/a", 7);
        node.killed(7, 1);

        assertThat(node.only().getCgroupPath()).isEqualTo("/pod/a");
        assertThat(node.sampled.getFirst()).isEmpty();
    }

    @Test
    void whatWasReadBeforeOneKillDoesNotExplainTheNext() {
        node.uses("/pod/a", 30 * MIB);
        node.tick();
        node.counted("/pod/a", 1);
        node.killed(7);
        node.pass(1000);
        node.counted("/pod/a", 2);
        node.killed(7);

        assertThat(node.sampled.get(0)).isPresent();
        assertThat(node.sampled.get(1)).isEmpty();
    }

    @Test
    void allThatAreKilledInOneOomHaveTheMemoryFromBeforeTheFirst() {
        node.cgroup("/pod/a", 7, 8);
        node.uses("/pod/a", 30 * MIB);
        node.tick();
        node.counted("/pod/a", 3);
        node.summary("/pod/a", "/pod/a", 7);
        node.killed(7);
        node.group("/pod/a");
        node.killed(7);
        node.killed(8);

        assertThat(node.sampled)
                .hasSize(2)
                .allSatisfy(
                        sampled -> assertThat(sampled.orElseThrow().getMemory().getAnonBytes())
                                .isEqualTo(30 * MIB));
    }

    @Test
    void atThePodsLimitThePodsMemoryIsToldAndNotTheContainers() {
        node.uses("/pod", 31 * MIB);
        node.uses("/pod/a", 20 * MIB);
        node.tick();
        node.counted("/pod/a", 1);
        node.summary("/pod", "/pod/a", 7);
        node.killed(7);

        assertThat(node.sampled.getFirst().orElseThrow().getMemorySample().getCgroup())
                .isEqualTo("/pod");
        assertThat(node.sampled.getFirst().orElseThrow().getMemory().getAnonBytes())
                .isEqualTo(31 * MIB);
    }

    @Test
    void theCgroupIsGoneBeforeTheRecordIsRead() {
        node.uses("/pod/a", 30 * MIB);
        node.tick();
        node.counters("/pod", 0, 1, 0);
        node.vmstat(1);
        node.remove("/pod/a");
        node.watcher.scan();
        node.summary("/pod/a", "/pod/a", 7);
        node.killed(7);

        assertThat(node.sampled.getFirst().orElseThrow().getMemory().getAnonBytes())
                .isEqualTo(30 * MIB);
    }

    @Test
    void theMemoryOfACgroupIsNotThatOfOneMadeLaterUnderItsName() {
        node.uses("/pod/a", 30 * MIB);
        node.tick();
        node.remove("/pod/a");
        node.watcher.scan();
        node.cgroup("/pod/a", 9);
        node.counted("/pod/a", 1);
        node.summary("/pod/a", "/pod/a", 9);
        node.killed(9);

        assertThat(node.only().getCgroupPath()).isEqualTo("/pod/a");
        assertThat(node.sampled.getFirst()).isEmpty();
    }

    @Test
    void aCgroupThatUsesLittleHasNoOldMemoryToShow() {
        node.uses("/pod/a", 30 * MIB);
        node.tick();
        node.uses("/pod/a", 3 * MIB);
        node.tick();
        node.counted("/pod/a", 1);
        node.killed(7);

        assertThat(node.sampled.getFirst()).isEmpty();
    }

    @Test
    void whenTheNodeRunsOutOfMemoryThatOfTheVictimsCgroupIsNoAnswer() {
        node.uses("/pod/a", 30 * MIB);
        node.tick();
        node.counted("/pod/a", 1);
        node.record(
                "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/pod/a,"
                        + "task=hog,pid=7,uid=0");
        node.record(
                "Out of memory: Killed process 7 (hog) total-vm:65536kB, anon-rss:32768kB, file-rss:4kB, shmem-rss:0kB");

        assertThat(node.only().getCgroupPath()).isEqualTo("/pod/a");
        assertThat(node.sampled.getFirst()).isEmpty();
    }

    @Test
    void aKillThatOnlyACounterSawHasTheMemoryFromBeforeItWasCounted() {
        node.uses("/pod/a", 30 * MIB);
        node.tick();
        node.counted("/pod/a", 1);
        node.uses("/pod/a", 17 * MIB);
        node.tick();
        node.settle();

        assertThat(node.only().hasVictim()).isFalse();
        assertThat(node.sampled.getFirst().orElseThrow().getMemory().getAnonBytes())
                .isEqualTo(30 * MIB);
    }
}
