package dev.exit137.agent.correlate;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.exit137.agent.cgroup.CgroupMount;
import dev.exit137.agent.cgroup.CgroupTree;
import dev.exit137.agent.cgroup.CgroupWatcher;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.oomreport.incident.IncidentAssembler;
import dev.exit137.oomreport.parse.KmsgRecordFlyweight;
import dev.exit137.proto.v1.AgentStatus.CgroupMode;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A node made of plain files, with a clock that stands still: the stories that a real kernel does not tell on demand.
 */
final class FakeNode {
    static final Instant WALL = Instant.parse("2026-01-01T00:00:00Z");
    private static final String BOOT = "boot";
    /** Those of the test that runs. */
    private static final List<FakeNode> OPEN = new ArrayList<>();

    final Guard guard = new Guard();
    final List<OomKillEvent> events = new ArrayList<>();
    /** For each event, whether the cgroup's files came with it. */
    final List<Boolean> afterKills = new ArrayList<>();
    /** For each event, the memory that was read before the kill. */
    final List<Optional<Incident>> sampled = new ArrayList<>();
    /** Whether the records that come are old: they were in the ring when the device was opened again. */
    boolean backlog;
    /** How often the next events are not taken. */
    int refusals;
    /** How often the watcher's clock fails from now on. */
    int clockFailures;

    final KillBalance balance;
    final CgroupWatcher watcher;
    final Correlator correlator;
    final IncidentAssembler assembler;
    private final boolean v2;
    private final Path cgroups;
    private final Path proc;
    private long nowNanos = 1_000_000_000_000L;
    private long sequence = 100;
    private long vmstat;
    private final Map<String, long[]> killsAndOoms = new HashMap<>();

    FakeNode(Path directory) {
        this(directory, CgroupMode.V2, false, List.of());
    }

    FakeNode(Path directory, CgroupMode mode) {
        this(directory, mode, false, List.of());
    }

    FakeNode(Path directory, boolean hasBaseline, List<CgroupTree.Account> accounts) {
        this(directory, CgroupMode.V2, hasBaseline, accounts);
    }

    private FakeNode(Path directory, CgroupMode mode, boolean hasBaseline, List<CgroupTree.Account> accounts) {
        v2 = mode == CgroupMode.V2;
        closeThoseOfOtherTests(directory);
        cgroups = directory.resolve("cgroup");
        proc = directory.resolve("proc");
        try {
            Files.createDirectories(cgroups);
            Files.createDirectories(proc);
            if (!Files.exists(proc.resolve("vmstat"))) {
                vmstat(0);
            } else {
                vmstat = Long.parseLong(
                        Files.readString(proc.resolve("vmstat")).strip().split(" ")[1]);
            }
            balance = new KillBalance(proc);
            watcher = new CgroupWatcher(
                    new CgroupMount(cgroups, mode, ""),
                    this::watcherNanos,
                    cgroup -> {},
                    (container, at) -> {},
                    Duration.ofSeconds(1),
                    guard);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        correlator = new Correlator(
                Node.newBuilder().setName("n").setBootId(BOOT).build(),
                proc,
                watcher,
                balance,
                this::take,
                new KernelClock(() -> nowNanos, () -> WALL),
                hasBaseline,
                guard);
        assembler = new IncidentAssembler(correlator);
        watcher.start(accounts);
        OPEN.add(this);
    }

    /** Each has an inotify instance, of which a user has 128. */
    private static void closeThoseOfOtherTests(Path directory) {
        OPEN.removeIf(node -> {
            boolean ofOtherTest = !node.cgroups.startsWith(directory);
            if (ofOtherTest) {
                node.watcher.close();
            }
            return ofOtherTest;
        });
    }

    private long watcherNanos() {
        if (clockFailures > 0) {
            clockFailures--;
            throw new IllegalStateException("no time");
        }
        return nowNanos;
    }

    private void take(KillReport report) {
        if (refusals > 0) {
            refusals--;
            throw new IllegalStateException("no room");
        }
        events.add(report.event());
        afterKills.add(report.afterKill() != null);
        sampled.add(Optional.ofNullable(report.sampled()));
    }

    /** What the loop does first: the counters, then the ring to its end. */
    void startLive() {
        balance.read();
        watcher.refreshAll();
        correlator.startLive();
    }

    // ---- the node's files

    void cgroup(String path, int... pids) {
        Path directory = cgroups.resolve(path.substring(1));
        write(directory.resolve("cgroup.events"), "populated 1\nfrozen 0\n");
        StringBuilder procs = new StringBuilder();
        for (int pid : pids) {
            procs.append(pid).append('\n');
        }
        write(directory.resolve("cgroup.procs"), procs.toString());
        limit(path, "33554432");
        if (v2) {
            write(directory.resolve("memory.swap.max"), "0\n");
        }
        killsAndOoms.put(path, new long[3]);
        counters(path, 0, 0, 0);
        watcher.drain();
        watcher.scan();
    }

    void counters(String path, long local, long tree, long ooms) {
        Path directory = cgroups.resolve(path.substring(1));
        if (!v2) {
            write(directory.resolve("memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\noom_kill " + local + "\n");
            return;
        }
        write(
                directory.resolve("memory.events"),
                "low 0\nhigh 0\nmax 9\noom 0\noom_kill " + tree + "\noom_group_kill 0\n");
        write(
                directory.resolve("memory.events.local"),
                "low 0\nhigh 0\nmax 9\noom " + ooms + "\noom_kill " + local + "\noom_group_kill 0\n");
    }

    /** What it uses, all of it anonymous. */
    void uses(String path, long anonBytes) {
        Path directory = cgroups.resolve(path.substring(1));
        write(directory.resolve(v2 ? "memory.current" : "memory.usage_in_bytes"), anonBytes + "\n");
        write(directory.resolve("memory.stat"), "anon " + anonBytes + "\nfile 0\nkernel 4096\nsock 0\nshmem 0\n");
    }

    /** The kernel counts a kill in a leaf: before it prints. */
    void counted(String path, long kills) {
        counters(path, kills, kills, kills);
        vmstat(vmstat + 1);
    }

    /** The kernel counts an OOM at a cgroup's own limit: before it looks for a process to kill. */
    void oom(String path) {
        add(path, 2);
    }

    /** The kernel counts a kill, in the cgroup, in all above it and for the node: before it prints. */
    void kill(String path) {
        add(path, 0);
        for (String at = path; !at.isEmpty(); at = at.substring(0, at.lastIndexOf('/'))) {
            add(at, 1);
        }
        vmstat(vmstat + 1);
    }

    private void add(String path, int which) {
        long[] counts = killsAndOoms.get(path);
        if (counts != null) {
            counts[which]++;
            counters(path, counts[0], counts[1], counts[2]);
        }
    }

    void limit(String path, String max) {
        write(cgroups.resolve(path.substring(1)).resolve(v2 ? "memory.max" : "memory.limit_in_bytes"), max + "\n");
    }

    void remove(String path) {
        Path directory = cgroups.resolve(path.substring(1));
        try (var files = Files.list(directory)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
            Files.delete(directory);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        watcher.drain();
    }

    void vmstat(long kills) {
        vmstat = kills;
        write(proc.resolve("vmstat"), "oom_kill " + kills + "\n");
    }

    long inode(String path) {
        return watcher.tree().find(path).inode();
    }

    private static void write(Path file, String text) {
        try {
            Files.createDirectories(file.getParent());
            Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    // ---- the kernel's log

    void record(String text) {
        record(text, 0);
    }

    /** A record that was printed a while ago. */
    void record(String text, long ageMillis) {
        long printedMicros = nowNanos / 1000 - ageMillis * 1000;
        if (backlog) {
            correlator.onRecord(printedMicros, true);
        }
        byte[] bytes = ("6," + sequence++ + "," + printedMicros + ",-;" + text + "\n").getBytes(UTF_8);
        assembler.onRecord(new KmsgRecordFlyweight().wrap(bytes, 0, bytes.length));
    }

    void summary(String oomMemcg, String taskMemcg, int pid) {
        record("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=" + oomMemcg
                + ",task_memcg=" + taskMemcg + ",task=hog,pid=" + pid + ",uid=0");
    }

    void killed(int pid) {
        killed(pid, 0);
    }

    void killed(int pid, long ageMillis) {
        record(
                "Memory cgroup out of memory: Killed process " + pid
                        + " (hog) total-vm:65536kB, anon-rss:32768kB, file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:100kB "
                        + "oom_score_adj:0",
                ageMillis);
    }

    void group(String path) {
        record("Tasks in " + path + " are going to be killed due to memory.oom.group set");
    }

    // ---- time

    void pass(long millis) {
        nowNanos += millis * 1_000_000;
    }

    /** What the loop does every second. */
    void tick() {
        pass(1000);
        watcher.tick(nowNanos);
    }

    /** What the loop does once the kill counters have stood still for the grace. */
    void settle() {
        assembler.close();
        balance.read();
        correlator.surplus().settle(watcher, WALL, nowNanos, false);
        balance.settle();
    }

    OomKillEvent only() {
        if (events.size() != 1) {
            throw new AssertionError("not one event but " + events);
        }
        return events.get(0);
    }
}
