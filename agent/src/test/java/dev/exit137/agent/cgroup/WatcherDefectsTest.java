package dev.exit137.agent.cgroup;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.agent.linux.Inotify;
import dev.exit137.agent.linux.Sys;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.AgentStatus.CgroupMode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.IntToLongFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What fails for one cgroup, or for all of them for a while: the others are watched, and that one is found again. */
class WatcherDefectsTest {
    private static final int EMFILE = 24;
    private static final int ENOSYS = 38;
    /** The path of a deeper one would be longer than the kernel takes. */
    private static final int DEEP = 1900;

    @TempDir
    Path root;

    private final Guard guard = new Guard();
    private final List<Cgroup> moved = new ArrayList<>();
    private long nowNanos = 1_000_000_000_000L;
    private Consumer<Cgroup> countersMoved = moved::add;
    private BiConsumer<String, Path> containerAppeared = (id, directory) -> {};
    private int inotifyFd = Sys.inotifyInit();
    private IntToLongFunction inodeOf = Sys::inode;
    private CgroupWatcher watcher;

    private void start() {
        watcher = new CgroupWatcher(
                new CgroupMount(root, CgroupMode.V2, ""),
                () -> nowNanos,
                cgroup -> countersMoved.accept(cgroup),
                (id, directory) -> containerAppeared.accept(id, directory),
                Duration.ZERO,
                guard,
                new Inotify(inotifyFd),
                fd -> inodeOf.applyAsLong(fd));
        watcher.start(List.of());
    }

    @AfterEach
    void close() {
        watcher.close();
    }

    private void cgroup(String path) throws IOException {
        Path directory = Files.createDirectories(root.resolve(path));
        Files.writeString(directory.resolve("cgroup.events"), "populated 1\n");
        Files.writeString(directory.resolve("cgroup.procs"), "");
        kills(path, 0);
    }

    private void kills(String path, int kills) throws IOException {
        Files.writeString(root.resolve(path).resolve("memory.events"), "oom_kill " + kills + "\n");
        Files.writeString(root.resolve(path).resolve("memory.events.local"), "oom_kill " + kills + "\n");
    }

    private void tick() {
        nowNanos += 1_000_000_000L;
        watcher.tick(nowNanos);
    }

    private List<String> known() {
        List<String> paths = new ArrayList<>();
        watcher.tree().forEach(cgroup -> paths.add(cgroup.path()));
        return paths;
    }

    // ---- who is told throws

    @Test
    void aContainerThatCannotBeReportedKeepsNoCgroupBack() throws IOException {
        String docker = "docker/";
        for (char c : "abc".toCharArray()) {
            cgroup(docker + String.valueOf(c).repeat(64));
        }
        cgroup("z");
        List<String> reported = new ArrayList<>();
        containerAppeared = (id, directory) -> {
            reported.add(id);
            throw new IllegalStateException("a defect");
        };
        start();
        assertThat(reported).hasSize(3);
        cgroup(docker + "d".repeat(64));
        cgroup("later");
        watcher.drain();

        assertThat(reported).hasSize(4);
        assertThat(known()).hasSize(8).contains("/z", "/later");
        assertThat(guard.counts()).isEqualTo(Map.of("cgroups", 4L));
        kills("later", 1);
        watcher.drain();
        assertThat(moved).extracting(Cgroup::path).contains("/later");
    }

    @Test
    void aNotificationThatCannotBeHandledKeepsThoseBehindItNotBack() throws IOException {
        cgroup("a");
        cgroup("b");
        start();
        countersMoved = cgroup -> {
            moved.add(cgroup);
            if (cgroup.path().equals("/a")) {
                throw new StackOverflowError();
            }
        };
        kills("a", 1);
        kills("b", 1);
        cgroup("c");
        watcher.drain();

        assertThat(moved).extracting(Cgroup::path).contains("/a", "/b");
        assertThat(known()).contains("/c");
        assertThat(guard.counts()).containsOnlyKeys("cgroups");
    }

    @Test
    void aCgroupWhoseNotificationCouldNotBeHandledIsFoundByAScan() throws IOException {
        start();
        inodeOf = fd -> {
            throw new IllegalStateException("a defect");
        };
        cgroup("a");
        watcher.drain();
        assertThat(known()).doesNotContain("/a");
        inodeOf = Sys::inode;
        tick();

        assertThat(known()).contains("/a");
        assertThat(guard.counts()).containsOnlyKeys("cgroups");
    }

    @Test
    void aCgroupThatCouldNotBeReadWhenItWasFoundIsWatchedAfterTheNextScan() throws IOException {
        cgroup("a");
        kills("a", 1);
        countersMoved = cgroup -> {
            throw new IllegalStateException("a defect");
        };
        start();
        countersMoved = moved::add;
        watcher.scan();
        moved.clear();
        kills("a", 2);
        watcher.drain();

        assertThat(moved).extracting(Cgroup::path).containsOnly("/a");
    }

    @Test
    void oneCgroupThatCannotBeReadAgainKeepsNoOtherBack() throws IOException {
        for (String path : List.of("a", "b", "c")) {
            cgroup(path);
            Files.delete(root.resolve(path).resolve("memory.events.local"));
        }
        start();
        for (String path : List.of("a", "b", "c")) {
            kills(path, 1);
        }
        countersMoved = cgroup -> {
            moved.add(cgroup);
            throw new IllegalStateException("a defect");
        };
        tick();
        assertThat(moved).extracting(Cgroup::path).contains("/a", "/b", "/c");
        moved.clear();
        watcher.refreshAll();

        assertThat(moved).extracting(Cgroup::path).containsExactlyInAnyOrder("/a", "/b", "/c");
    }

    // ---- the kernel refuses

    @Test
    void directoriesWhoseInodeTheKernelDoesNotTellAreNotTakenForOneAnother() throws IOException {
        cgroup("a");
        cgroup("b");
        inodeOf = fd -> -ENOSYS;
        start();
        assertThat(known()).isEmpty();
        assertThat(watcher.watchesRefused()).isPositive();
        assertThat(watcher.notifiesCounters()).isFalse();
        inodeOf = Sys::inode;
        tick();

        assertThat(known()).containsExactlyInAnyOrder("/", "/a", "/b");
        assertThat(guard.counts()).isEmpty();
    }

    @Test
    void aCgroupOfWhichItCannotBeToldWhetherItIsThereIsNotTakenForGone() throws IOException {
        cgroup("a");
        start();
        Cgroup before = watcher.tree().find("/a");
        inodeOf = fd -> -EMFILE;
        watcher.scan();
        inodeOf = Sys::inode;
        watcher.scan();

        assertThat(watcher.tree().find("/a")).isSameAs(before);
        assertThat(watcher.watchesRefused()).isPositive();
    }

    @Test
    void aCgroupThatIsMountedBelowItselfIsCountedOnce() throws IOException {
        cgroup("a/b");
        start();
        long inode = watcher.tree().find("/a").inode();
        inodeOf = fd -> inode;
        cgroup("a/b/a");
        watcher.drain();

        assertThat(known()).containsExactlyInAnyOrder("/", "/a", "/a/b");
    }

    @Test
    void aSecondCloseLeavesTheDescriptorsOfOthersAlone() throws IOException {
        cgroup("a/b");
        start();
        watcher.close();
        // They get the numbers that are free now.
        List<Integer> others = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            others.add(Sys.open(root.toString(), Sys.O_PATH | Sys.O_CLOEXEC));
        }
        watcher.close();

        assertThat(others).allSatisfy(fd -> assertThat(Sys.inode(fd)).isPositive());
        others.forEach(Sys::close);
    }

    @Test
    void whereNoInotifyInstanceIsLeftTheTreeIsScanned() throws IOException {
        Sys.close(inotifyFd);
        inotifyFd = -EMFILE;
        cgroup("a");
        start();
        assertThat(watcher.hasDescriptor()).isFalse();
        assertThat(watcher.notifiesCounters()).isFalse();
        cgroup("b");
        kills("a", 1);
        tick();

        assertThat(known()).contains("/a", "/b");
        assertThat(moved).extracting(Cgroup::path).contains("/a");
    }

    @Test
    void aRootThatIsNotThereYetIsFoundWhenItIs() throws IOException {
        Path later = root;
        root = later.resolve("mount");
        start();
        assertThat(known()).isEmpty();
        cgroup("a");
        tick();

        assertThat(known()).containsExactlyInAnyOrder("/", "/a");
    }

    // ---- who makes cgroups has no limit

    @Test
    void cgroupsAsDeepAsAnyoneMayMakeThemAreFollowed() throws IOException {
        Path deepest = Files.createDirectories(root.resolve("d/".repeat(DEEP)));
        start();
        watcher.refreshAll();
        tick();

        assertThat(watcher.tree().size()).isGreaterThan(DEEP);
        assertThat(guard.counts()).isEmpty();
        // JUnit looks at each directory above each that it deletes: that took minutes.
        for (Path empty = deepest; !empty.equals(root); empty = empty.getParent()) {
            Files.delete(empty);
        }
    }
}
