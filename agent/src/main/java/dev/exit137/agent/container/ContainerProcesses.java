package dev.exit137.agent.container;

import dev.exit137.agent.linux.ProcessFiles;
import dev.exit137.daemon.collect.BoundedMap;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.guard.GuardedThread;
import dev.exit137.proto.v1.Jvm;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds the first process of a container and the memory flags of a Java virtual machine in it, from procfs, while the
 * processes live. It needs no runtime. It looks at a container when its cgroup appears, and some times more in the
 * container's first minute, because a script may run before the program. It reads procfs on the agent-proc thread; the
 * methods are for any thread and never block.
 */
public final class ContainerProcesses implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ContainerProcesses.class);
    private static final String PLACE = "processes";
    private static final Duration FIRST_PAUSE = Duration.ofMillis(16);
    private static final Duration LAST_PAUSE = Duration.ofSeconds(64);
    private static final int PAUSE_FACTOR = 4;
    private static final int MAX_CONTAINERS = 4096;
    private static final int MAX_PROCESSES = 256;
    /** Precision of the times of kills and of process starts. */
    private static final Duration TIMING = Duration.ofSeconds(1);

    private record Init(int pid, Instant startedAt) {}

    private record StartedJvm(Jvm jvm, Instant startedAt) {}

    private record Seen(@Nullable Init init, @Nullable StartedJvm jvm) {
        static final Seen NOTHING = new Seen(null, null);
    }

    private final GuardedThread thread;
    private final Guard guard;
    private final ProcessFiles processes;
    private final InstantSource clock;
    private final @Nullable Long nodeMemoryBytes;
    private final Map<String, Seen> byId = BoundedMap.byInsertion(MAX_CONTAINERS);

    /**
     * @param procRoot the host's procfs
     * @param nodeMemoryBytes null where it is not known
     * @param clock the node's wall clock
     * @param guard of this process
     */
    public ContainerProcesses(Path procRoot, @Nullable Long nodeMemoryBytes, InstantSource clock, Guard guard) {
        processes = new ProcessFiles(procRoot);
        this.clock = clock;
        this.nodeMemoryBytes = nodeMemoryBytes;
        this.guard = guard;
        thread = new GuardedThread(
                Thread.ofPlatform().name("agent-proc").daemon().factory(), PLACE, guard);
    }

    // ---- for any thread

    /** A cgroup of this container exists; it may replace an earlier one of the same container. */
    public void onContainerCgroup(String id, Path directory) {
        synchronized (byId) {
            byId.remove(id);
        }
        schedule(id, directory, FIRST_PAUSE);
    }

    /**
     * Returns whether a killed process was the container's first; empty if that is not known. Another process was not the
     * first if the first one started before the kill and still lives.
     *
     * @param victimPid from the kernel's own record, which names this container's cgroup
     */
    public Optional<Boolean> isInit(String id, int victimPid, Instant killedAt) {
        Init init = seen(id).init();
        if (init == null || !init.startedAt().minus(TIMING).isBefore(killedAt)) {
            return Optional.empty();
        }
        if (init.pid() == victimPid) {
            return Optional.of(true);
        }
        boolean lives = processes.isIn(init.pid(), id)
                && startedAt(init.pid()).filter(killedAt::isAfter).isPresent();
        return lives ? Optional.of(false) : Optional.empty();
    }

    /** Returns the pid of the container's first process in the life that ended then; empty if it was not seen. */
    public Optional<Integer> initPid(String id, Instant endedAt) {
        return Optional.ofNullable(seen(id).init())
                .filter(init -> init.startedAt().minus(TIMING).isBefore(endedAt))
                .map(Init::pid);
    }

    /** Whether a process is in the container now. */
    public boolean isIn(long pid, String id) {
        return processes.isIn(pid, id);
    }

    /** Returns the Java virtual machine that was in the container at the kill. */
    public Optional<Jvm> jvm(String id, Instant killedAt) {
        return Optional.ofNullable(seen(id).jvm())
                .filter(jvm -> jvm.startedAt().minus(TIMING).isBefore(killedAt))
                .map(StartedJvm::jvm);
    }

    /**
     * Returns the start time of a process, by the present wall clock, to a hundredth of a second; empty if the process is
     * gone.
     */
    private Optional<Instant> startedAt(int pid) {
        return processes.age(pid).map(age -> clock.instant().minus(age));
    }

    private Seen seen(String id) {
        synchronized (byId) {
            return byId.getOrDefault(id, Seen.NOTHING);
        }
    }

    private void schedule(String id, Path directory, Duration pause) {
        try {
            thread.schedule(() -> lookAndComeBack(id, directory, pause), pause.toMillis(), TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            // The object is closed.
        }
    }

    // ---- agent-proc thread

    private void lookAndComeBack(String id, Path directory, Duration pause) {
        guard.run(PLACE, () -> look(id, directory));
        if (Files.isDirectory(directory) && pause.compareTo(LAST_PAUSE) < 0) {
            schedule(id, directory, pause.multipliedBy(PAUSE_FACTOR));
        }
    }

    void look(String id, Path directory) {
        if (!processes.countsAsTheKernel()) {
            return;
        }
        try {
            Seen now = look(directory);
            Seen before = seen(id);
            Seen best = new Seen(
                    now.init() == null ? before.init() : now.init(), now.jvm() == null ? before.jvm() : now.jvm());
            if (!best.equals(before)) {
                synchronized (byId) {
                    byId.put(id, best);
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            // A cgroup below the container's was created or removed.
            LOG.debug("the processes of container {} cannot be read", id, e);
        }
    }

    private Seen look(Path directory) throws IOException {
        List<Integer> pids = pidsBelow(directory);
        Integer first = pids.size() > MAX_PROCESSES ? null : first(pids).orElse(null);
        Init init = first == null
                ? null
                : startedAt(first).map(startedAt -> new Init(first, startedAt)).orElse(null);
        StartedJvm jvm = jvm(pids, first, limitBytes(directory).orElse(null))
                .flatMap(found -> startedAt(found.getPid()).map(startedAt -> new StartedJvm(found, startedAt)))
                .orElse(null);
        return new Seen(init, jvm);
    }

    /** Returns the pids; more than {@link #MAX_PROCESSES} if there are too many to look at. */
    private static List<Integer> pidsBelow(Path directory) throws IOException {
        List<Integer> pids = new ArrayList<>();
        ArrayDeque<Path> cgroups = new ArrayDeque<>(List.of(directory));
        while (!cgroups.isEmpty() && pids.size() <= MAX_PROCESSES) {
            Path cgroup = cgroups.removeFirst();
            Files.readString(cgroup.resolve("cgroup.procs"))
                    .lines()
                    .map(Integer::valueOf)
                    .forEach(pids::add);
            try (DirectoryStream<Path> below = Files.newDirectoryStream(cgroup, Files::isDirectory)) {
                below.forEach(cgroups::add);
            }
        }
        return pids;
    }

    /**
     * Returns the only process that has pid 1 in the outermost pid namespace of all. A pid 1 of a namespace within it is
     * the first process of a browser's sandbox or of a container within the container. If any process is in the pid
     * namespace of the host or of the pod (hostPID, shareProcessNamespace), the container has no first process.
     */
    private Optional<Integer> first(List<Integer> pids) {
        Map<Integer, List<Integer>> byPid = new LinkedHashMap<>();
        pids.forEach(pid -> byPid.put(pid, processes.namespacePids(pid)));
        byPid.values().removeIf(List::isEmpty);
        int outermost = byPid.values().stream().mapToInt(List::size).min().orElse(0);
        List<Integer> first = byPid.entrySet().stream()
                .filter(entry ->
                        entry.getValue().size() == outermost && entry.getValue().getLast() == 1)
                .map(Map.Entry::getKey)
                .toList();
        return outermost > 1 && first.size() == 1 ? Optional.of(first.getFirst()) : Optional.empty();
    }

    /** Returns the Java virtual machine that is the first process, or else the only one. */
    private Optional<Jvm> jvm(List<Integer> pids, @Nullable Integer first, @Nullable Long limitBytes) {
        List<Jvm> all = new ArrayList<>();
        for (int pid : pids.subList(0, Math.min(pids.size(), MAX_PROCESSES))) {
            Optional<Jvm> jvm = jvmFlags(pid).map(flags -> jvm(pid, flags, limitBytes));
            if (jvm.isPresent() && first != null && first == pid) {
                return jvm;
            }
            jvm.ifPresent(all::add);
        }
        return all.size() == 1 && pids.size() <= MAX_PROCESSES ? Optional.of(all.getFirst()) : Optional.empty();
    }

    /** Returns the memory flags if the process is a Java virtual machine. */
    private Optional<JvmFlags> jvmFlags(int pid) {
        return processes
                .commandLine(pid)
                .filter(JvmFlags::isJava)
                .map(arguments ->
                        JvmFlags.of(arguments, processes.environment(pid).orElse(null)));
    }

    private Jvm jvm(int pid, JvmFlags flags, @Nullable Long limitBytes) {
        Jvm.Builder jvm = Jvm.newBuilder().setPid(pid).addAllMemoryFlags(flags.flags());
        flags.maxHeapBytes(limitBytes, nodeMemoryBytes).ifPresent(jvm::setMaxHeapBytes);
        return jvm.build();
    }

    private static Optional<Long> limitBytes(Path directory) {
        for (String file : List.of("memory.max", "memory.limit_in_bytes")) {
            try {
                String limit = Files.readString(directory.resolve(file)).strip();
                return Optional.of(limit.equals("max") ? -1 : Long.parseLong(limit));
            } catch (IOException | NumberFormatException e) {
                // The file belongs to the other cgroup version.
            }
        }
        return Optional.empty();
    }

    @Override
    public void close() {
        thread.shutdownNow();
    }
}
