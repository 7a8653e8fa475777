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
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the processes of a container are, read from procfs while they live: which is its first, and what a Java virtual
 * machine in it was told of memory. Needs no runtime. A container is looked at when its cgroup is there, and some times
 * more in its first minute, since a script may come before the program. Looks are on the agent-proc thread; the methods
 * are for any and never block.
 */
public final class ContainerProcesses implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ContainerProcesses.class);
  private static final String PLACE = "processes";
  private static final Duration FIRST_PAUSE = Duration.ofMillis(16);
  private static final Duration LAST_PAUSE = Duration.ofSeconds(64);
  private static final int PAUSE_FACTOR = 4;
  private static final int MAX_CONTAINERS = 4096;
  private static final int MAX_PROCESSES = 256;
  /** Kills and starts are not timed better. */
  private static final Duration TIMING = Duration.ofSeconds(1);

  private record Init(int pid, Instant startedAt) {}

  private record StartedJvm(Jvm jvm, Instant startedAt) {}

  private record Seen(Optional<Init> init, Optional<StartedJvm> jvm) {
    static final Seen NOTHING = new Seen(Optional.empty(), Optional.empty());
  }

  private final GuardedThread thread;
  private final Guard guard;
  private final ProcessFiles processes;
  private final InstantSource clock;
  private final OptionalLong nodeMemoryBytes;
  private final Map<String, Seen> byId = BoundedMap.byInsertion(MAX_CONTAINERS);

  /**
   * @param procRoot the host's procfs
   * @param nodeMemoryBytes empty where it is not known
   * @param clock the node's wall clock
   * @param guard of this process
   */
  public ContainerProcesses(Path procRoot, OptionalLong nodeMemoryBytes, InstantSource clock, Guard guard) {
    processes = new ProcessFiles(procRoot);
    this.clock = clock;
    this.nodeMemoryBytes = nodeMemoryBytes;
    this.guard = guard;
    thread = new GuardedThread(Thread.ofPlatform().name("agent-proc").daemon().factory(), PLACE, guard);
  }

  // ---- for any thread

  /** There is a cgroup of this container, perhaps a new one of one that was there before. */
  public void onContainerCgroup(String id, Path directory) {
    synchronized (byId) {
      byId.remove(id);
    }
    schedule(id, directory, FIRST_PAUSE);
  }

  /**
   * Whether a killed process was the container's first; empty when that is not known. Another one was not if the first
   * lived before the kill, and still does.
   *
   * @param victimPid of the kernel's own record, which names this container's cgroup
   */
  public Optional<Boolean> isInit(String id, int victimPid, Instant killedAt) {
    Optional<Init> init = seen(id).init().filter(first -> first.startedAt().minus(TIMING).isBefore(killedAt));
    if (init.isEmpty()) {
      return Optional.empty();
    }
    if (init.get().pid() == victimPid) {
      return Optional.of(true);
    }
    boolean lives =
        processes.isIn(init.get().pid(), id)
            && startedAt(init.get().pid()).filter(killedAt::isAfter).isPresent();
    return lives ? Optional.of(false) : Optional.empty();
  }

  /** The Java virtual machine in it at the kill. */
  public Optional<Jvm> jvm(String id, Instant killedAt) {
    return seen(id).jvm().filter(jvm -> jvm.startedAt().minus(TIMING).isBefore(killedAt)).map(StartedJvm::jvm);
  }

  /** When it started, as the wall clock is set now, to a hundredth of a second; empty when it is gone. */
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
      // It is closed.
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
      Seen best = new Seen(now.init().or(before::init), now.jvm().or(before::jvm));
      if (!best.equals(before)) {
        synchronized (byId) {
          byId.put(id, best);
        }
      }
    } catch (IOException | DirectoryIteratorException e) {
      // A cgroup within it came or went.
      LOG.debug("the processes of container {} cannot be read", id, e);
    }
  }

  private Seen look(Path directory) throws IOException {
    List<Integer> pids = pidsBelow(directory);
    OptionalInt first = pids.size() > MAX_PROCESSES ? OptionalInt.empty() : first(pids);
    Optional<Init> init =
        first.isEmpty()
            ? Optional.empty()
            : startedAt(first.getAsInt()).map(startedAt -> new Init(first.getAsInt(), startedAt));
    Optional<StartedJvm> jvm =
        jvm(pids, first, limitBytes(directory))
            .flatMap(found -> startedAt(found.getPid()).map(startedAt -> new StartedJvm(found, startedAt)));
    return new Seen(init, jvm);
  }

  /** More than {@link #MAX_PROCESSES} where there are too many to look at. */
  private static List<Integer> pidsBelow(Path directory) throws IOException {
    List<Integer> pids = new ArrayList<>();
    ArrayDeque<Path> cgroups = new ArrayDeque<>(List.of(directory));
    while (!cgroups.isEmpty() && pids.size() <= MAX_PROCESSES) {
      Path cgroup = cgroups.removeFirst();
      Files.readString(cgroup.resolve("cgroup.procs")).lines().map(Integer::valueOf).forEach(pids::add);
      try (DirectoryStream<Path> below = Files.newDirectoryStream(cgroup, Files::isDirectory)) {
        below.forEach(cgroups::add);
      }
    }
    return pids;
  }

  /**
   * The only one that is 1 in the outermost pid namespace of all. One that is 1 in a namespace within it is another's
   * (a sandbox of a browser, a container within the container); where any process is of the host's namespace, or the pod's
   * (hostPID, shareProcessNamespace), there is none.
   */
  private OptionalInt first(List<Integer> pids) {
    Map<Integer, List<Integer>> byPid = new LinkedHashMap<>();
    pids.forEach(pid -> byPid.put(pid, processes.namespacePids(pid)));
    byPid.values().removeIf(List::isEmpty);
    int outermost = byPid.values().stream().mapToInt(List::size).min().orElse(0);
    List<Integer> first =
        byPid.entrySet().stream()
            .filter(entry -> entry.getValue().size() == outermost && entry.getValue().getLast() == 1)
            .map(Map.Entry::getKey)
            .toList();
    return outermost > 1 && first.size() == 1 ? OptionalInt.of(first.getFirst()) : OptionalInt.empty();
  }

  /** The first process if it is one, else the only one. */
  private Optional<Jvm> jvm(List<Integer> pids, OptionalInt first, OptionalLong limitBytes) {
    List<Jvm> all = new ArrayList<>();
    for (int pid : pids.subList(0, Math.min(pids.size(), MAX_PROCESSES))) {
      Optional<Jvm> jvm = jvmFlags(pid).map(flags -> jvm(pid, flags, limitBytes));
      if (jvm.isPresent() && first.equals(OptionalInt.of(pid))) {
        return jvm;
      }
      jvm.ifPresent(all::add);
    }
    return all.size() == 1 && pids.size() <= MAX_PROCESSES ? Optional.of(all.getFirst()) : Optional.empty();
  }

  /** The flags of memory, if it is a Java virtual machine. */
  private Optional<JvmFlags> jvmFlags(int pid) {
    return processes
        .commandLine(pid)
        .filter(JvmFlags::isJava)
        .map(arguments -> JvmFlags.of(arguments, processes.environment(pid)));
  }

  private Jvm jvm(int pid, JvmFlags flags, OptionalLong limitBytes) {
    Jvm.Builder jvm = Jvm.newBuilder().setPid(pid).addAllMemoryFlags(flags.flags());
    flags.maxHeapBytes(limitBytes, nodeMemoryBytes).ifPresent(jvm::setMaxHeapBytes);
    return jvm.build();
  }

  private static OptionalLong limitBytes(Path directory) {
    for (String file : List.of("memory.max", "memory.limit_in_bytes")) {
      try {
        String limit = Files.readString(directory.resolve(file)).strip();
        return OptionalLong.of(limit.equals("max") ? -1 : Long.parseLong(limit));
      } catch (IOException | NumberFormatException e) {
        // The other version's.
      }
    }
    return OptionalLong.empty();
  }

  @Override
  public void close() {
    thread.shutdownNow();
  }
}
