package dev.exit137.agent.cgroup;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.AgentStatus.CgroupMode;
import dev.exit137.proto.v1.Incident;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is read of cgroups while nothing is killed: enough, and not much. */
class MemorySamplerTest {
    private static final long SECOND = 1_000_000_000L;
    private static final long MIB = 1L << 20;

    @TempDir
    Path root;

    private long nowNanos = 1000 * SECOND;
    private CgroupWatcher watcher;

    private void watch(CgroupMode mode, Duration interval) throws IOException {
        watcher = new CgroupWatcher(
                new CgroupMount(root, mode, ""),
                () -> nowNanos,
                cgroup -> {},
                (container, at) -> {},
                interval,
                new Guard());
        watcher.start(List.of());
    }

    @AfterEach
    void close() {
        watcher.close();
    }

    private void tick() {
        nowNanos += SECOND;
        watcher.tick(nowNanos);
    }

    private void write(String file, String text) throws IOException {
        Path path = root.resolve(file);
        Files.createDirectories(path.getParent());
        Files.writeString(path, text);
    }

    private void v2(String cgroup, String max, String current) throws IOException {
        write(cgroup + "/memory.max", max + "\n");
        write(cgroup + "/memory.current", current + "\n");
        write(cgroup + "/memory.swap.current", "8192\n");
        write(
                cgroup + "/memory.stat",
                "anon 1048576\nfile_mapped 7\nfile 4096\nslab_unreclaimable 5\nslab 9\nanon_thp 3\n");
        write(cgroup + "/memory.events.local", "low 0\nmax 0\noom 0\noom_kill 0\n");
        write(cgroup + "/memory.events", "low 0\nmax 0\noom 0\noom_kill 0\n");
    }

    private Optional<Incident> sampled(String cgroup) {
        return watcher.tree().find(cgroup).sampledBefore(nowNanos);
    }

    @Test
    void eachPartIsReadByItsWholeName() throws IOException {
        v2("a", "2097152", "2000000");
        watch(CgroupMode.V2, Duration.ofSeconds(1));
        tick();

        Incident incident = sampled("/a").orElseThrow();
        assertThat(incident.getMemory().getAnonBytes()).isEqualTo(MIB);
        assertThat(incident.getMemory().getFileBytes()).isEqualTo(4096);
        assertThat(incident.getMemory().getSlabBytes()).isEqualTo(9);
        assertThat(incident.getMemory().getSlabUnreclaimableBytes()).isEqualTo(5);
        assertThat(incident.getMemory().getSwapBytes()).isEqualTo(8192);
        assertThat(incident.getMemory().hasShmemBytes()).isFalse();
    }

    @Test
    void onV1TheCountsOfAllBelowAreTakenAndAKillBelowIsNoticed() throws IOException {
        for (String cgroup : List.of("pod", "pod/a")) {
            write(cgroup + "/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
            write(cgroup + "/memory.limit_in_bytes", "2097152\n");
            write(cgroup + "/memory.usage_in_bytes", "2000000\n");
            write(cgroup + "/memory.kmem.usage_in_bytes", "8192\n");
            write(
                    cgroup + "/memory.stat",
                    "cache 0\nrss 0\ntotal_cache 4096\ntotal_rss 1048576\ntotal_shmem 1\ntotal_swap 2\n");
        }
        watch(CgroupMode.V1, Duration.ofSeconds(1));
        tick();

        Incident incident = sampled("/pod").orElseThrow();
        assertThat(incident.getMemory().getAnonBytes()).isEqualTo(MIB);
        assertThat(incident.getMemory().getFileBytes()).isEqualTo(4096);
        assertThat(incident.getMemory().getShmemBytes()).isEqualTo(1);
        assertThat(incident.getMemory().getKernelBytes()).isEqualTo(8192);
        assertThat(incident.getMemory().getSwapBytes()).isEqualTo(2);

        write("pod/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
        write("pod/memory.stat", "total_rss 7\n");
        tick();
        assertThat(sampled("/pod").orElseThrow().getMemory().getAnonBytes()).isEqualTo(MIB);
    }

    @Test
    void aCgroupAtItsLimitIsReadAtOnceAndThenOnceASecond() throws IOException {
        v2("a", "2097152", "2097152");
        watch(CgroupMode.V2, Duration.ofHours(1));
        write("a/memory.events.local", "low 0\nmax 1\noom 0\noom_kill 0\n");
        watcher.drain();
        assertThat(sampled("/a").orElseThrow().getMemory().getAnonBytes()).isEqualTo(MIB);

        nowNanos += SECOND / 2;
        write("a/memory.stat", "anon 7\n");
        write("a/memory.events.local", "low 0\nmax 2\noom 0\noom_kill 0\n");
        watcher.drain();
        assertThat(sampled("/a").orElseThrow().getMemory().getAnonBytes()).isEqualTo(MIB);

        nowNanos += SECOND / 2;
        write("a/memory.events.local", "low 0\nmax 3\noom 0\noom_kill 0\n");
        watcher.drain();
        assertThat(sampled("/a").orElseThrow().getMemory().getAnonBytes()).isEqualTo(7);
    }

    @Test
    void manyCgroupsAtTheirLimitDoNotKeepTheAgentReading() throws IOException {
        for (int i = 0; i < 200; i++) {
            v2("c" + i, "2097152", "2097152");
        }
        watch(CgroupMode.V2, Duration.ofSeconds(1));
        tick();
        long[] sampled = new long[1];
        watcher.tree()
                .forEach(cgroup -> sampled[0] += cgroup.sampledBefore(nowNanos).isPresent() ? 1 : 0);
        assertThat(sampled[0]).as("the root has its turn, too").isBetween(3L, 4L);

        for (int second = 0; second < 52; second++) {
            tick();
        }
        sampled[0] = 0;
        watcher.tree()
                .forEach(cgroup -> sampled[0] += cgroup.sampledBefore(nowNanos).isPresent() ? 1 : 0);
        assertThat(sampled[0]).as("each in its turn").isEqualTo(200);
    }

    @Test
    void withoutAnIntervalNothingIsRead() throws IOException {
        v2("a", "2097152", "2097152");
        watch(CgroupMode.V2, Duration.ZERO);
        write("a/memory.events.local", "low 0\nmax 1\noom 0\noom_kill 0\n");
        watcher.drain();
        tick();
        assertThat(sampled("/a")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "max", "-1", "18446744073709551615", "99999999999999999999999999", "no number"})
    void aLimitThatIsNoneGivesNothing(String max) throws IOException {
        v2("a", max, "2097152");
        watch(CgroupMode.V2, Duration.ofSeconds(1));
        tick();
        assertThat(sampled("/a")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "anon", "anon ", "anon x\n", "\n\n\0", "anon 99999999999999999999\n"})
    void aStatThatCannotBeReadInventsNothing(String stat) throws IOException {
        v2("a", "2097152", "2097152");
        write("a/memory.stat", stat);
        watch(CgroupMode.V2, Duration.ofSeconds(1));
        tick();
        sampled("/a")
                .ifPresent(incident ->
                        assertThat(incident.getMemory().hasAnonBytes()).isFalse());
    }
}
