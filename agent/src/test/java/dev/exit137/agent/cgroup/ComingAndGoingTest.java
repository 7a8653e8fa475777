package dev.exit137.agent.cgroup;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.AgentStatus.CgroupMode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What an agent keeps must not grow while it watches for weeks. */
class ComingAndGoingTest {
    @TempDir
    Path root;

    private long nowNanos = 1_000_000_000_000L;
    private CgroupWatcher watcher;

    @BeforeEach
    void open() throws IOException {
        watcher = new CgroupWatcher(
                new CgroupMount(root, CgroupMode.V2, ""),
                () -> nowNanos,
                cgroup -> {},
                (container, at) -> {},
                Duration.ZERO,
                new Guard());
    }

    @AfterEach
    void close() {
        watcher.close();
    }

    @Test
    void aCgroupWithoutTheMemoryControllerDoesNotCollectWatchesTickAfterTick() throws IOException {
        Files.createDirectory(root.resolve("a"));
        Files.writeString(root.resolve("a/cgroup.events"), "populated 1\n");
        watcher.start(List.of());
        int watches = watcher.tree().find("/a").watches.length;
        for (int second = 0; second < 100; second++) {
            nowNanos += 1_000_000_000L;
            watcher.tick(nowNanos);
        }

        assertThat(watcher.tree().find("/a").watches).hasSize(watches);
    }

    @Test
    void theProcessesOfALongLivedCgroupAreForgottenAfterTheyEnded() throws IOException {
        Path cgroup = Files.createDirectory(root.resolve("cron"));
        Files.writeString(cgroup.resolve("cgroup.events"), "populated 1\n");
        Files.writeString(cgroup.resolve("cgroup.procs"), "4711\n");
        watcher.start(List.of());
        assertThat(watcher.pids().cgroupOf(4711)).isNotNull();
        for (int second = 0; second < 3600; second++) {
            nowNanos += 1_000_000_000L;
            Files.writeString(cgroup.resolve("cgroup.procs"), 5000 + second + "\n");
            Files.writeString(cgroup.resolve("cgroup.events"), "populated 1\n");
            watcher.drain();
            watcher.tick(nowNanos);
        }

        assertThat(watcher.pids().cgroupOf(4711)).isNull();
        assertThat(watcher.pids().cgroupOf(5000 + 3599)).isNotNull();
    }

    @Test
    void aCgroupMadeAgainUnderItsNameIsWatchedThoughTheRemovalOfTheOldOneIsSeenLate() throws IOException {
        Path cgroup = Files.createDirectory(root.resolve("unit"));
        Files.writeString(cgroup.resolve("cgroup.procs"), "1\n");
        watcher.start(List.of());
        long before = watcher.tree().find("/unit").inode();
        // Made again between the two passes of a scan: the old one is replaced, not removed.
        Files.move(cgroup, root.resolve("elsewhere-" + before));
        Files.createDirectory(cgroup);
        Files.writeString(cgroup.resolve("cgroup.procs"), "2\n");
        Files.delete(root.resolve("elsewhere-" + before + "/cgroup.procs"));
        Files.delete(root.resolve("elsewhere-" + before));
        watcher.drain();

        assertThat(watcher.tree().find("/unit").inode()).isNotEqualTo(before);
        assertThat(watcher.tree().find("/unit").watches).isNotEmpty();
    }
}
