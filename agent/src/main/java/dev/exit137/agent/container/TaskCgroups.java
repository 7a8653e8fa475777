package dev.exit137.agent.container;

import dev.exit137.oomreport.event.CgroupPath;
import dev.exit137.oomreport.parse.ByteText;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import dev.exit137.proto.v1.OomKillEventOrBuilder;
import dev.exit137.proto.v1.Task;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * In which cgroups the largest tasks of a report are, which its table does not say. procfs tells it of those that still
 * live: a kill does not move a process. A pid that was used again is not mistaken: the process must have the task's name,
 * have been there before the kill, and be below the limit that was hit. Agent-worker thread.
 */
public final class TaskCgroups {
  private static final int MAX_TASKS = 10;
  private static final int MAX_INCIDENTS = 16;
  /** USER_HZ: field 22 of /proc/PID/stat is in hundredths of a second. */
  private static final long NANOS_PER_TICK = 10_000_000;

  private static final int START_TIME_AFTER_NAME = 19;

  private final Path procRoot;
  private final InstantSource clock;
  /** What was found at first: later some of them have ended. */
  private final Map<String, List<Task>> ofIncidents = new LinkedHashMap<>();

  /** @param procRoot the host's procfs */
  public TaskCgroups(Path procRoot, InstantSource clock) {
    this.procRoot = procRoot;
    this.clock = clock;
  }

  /** The tasks of the event's report, with the cgroups of those that are found. */
  public List<Task> find(OomKillEventOrBuilder event) {
    List<Task> tasks = List.copyOf(event.getIncident().getTasksList());
    if (tasks.isEmpty() || !event.hasTime()) {
      return tasks;
    }
    String incident = event.getIncident().getId();
    List<Task> found = ofIncidents.get(incident);
    if (found == null) {
      found = look(event, tasks);
      if (ofIncidents.size() == MAX_INCIDENTS) {
        ofIncidents.remove(ofIncidents.keySet().iterator().next());
      }
      ofIncidents.put(incident, found);
    }
    return found;
  }

  private List<Task> look(OomKillEventOrBuilder event, List<Task> tasks) {
    if (!pidsAreTheKernels()) {
      return tasks;
    }
    Instant killedAt = Instant.ofEpochSecond(event.getTime().getSeconds(), event.getTime().getNanos());
    Set<Integer> largest = new HashSet<>();
    tasks.stream()
        .sorted(Comparator.comparingLong(Task::getRssBytes).reversed())
        .limit(MAX_TASKS)
        .forEach(task -> largest.add(task.getPid()));
    List<Task> placed = new ArrayList<>(tasks.size());
    for (Task task : tasks) {
      boolean isVictim = event.getVictim().hasPid() && task.getPid() == event.getVictim().getPid();
      String path =
          isVictim ? event.getCgroupPath() : largest.contains(task.getPid()) ? pathOf(task, killedAt) : "";
      placed.add(fits(path, event) ? withCgroup(task, path) : task);
    }
    return placed;
  }

  private static Task withCgroup(Task task, String path) {
    Task.Builder placed = task.toBuilder().setCgroupPath(path);
    CgroupPath.parse(path).described().ifPresent(placed::setContainer);
    return placed.build();
  }

  private static boolean fits(String path, OomKillEventOrBuilder event) {
    // A path that begins so is above the cgroup namespace of this process.
    if (!path.startsWith("/") || path.startsWith("/..")) {
      return false;
    }
    Incident incident = event.getIncident();
    String limit = event.getScope() == Scope.MEMCG ? incident.getLimit().getCgroup() : "/";
    return !limit.isEmpty() && (path + "/").startsWith(limit.equals("/") ? "/" : limit + "/");
  }

  /** The kernel's own threads are only in the first pid namespace, whose pids the log has; kthreadd is the second process. */
  private boolean pidsAreTheKernels() {
    try {
      return Files.readString(procRoot.resolve("2/comm")).strip().equals("kthreadd");
    } catch (IOException e) {
      return false;
    }
  }

  /** @return empty where the process is gone, or another one */
  private String pathOf(Task task, Instant killedAt) {
    Path process = procRoot.resolve(Integer.toUnsignedString(task.getPid()));
    try {
      byte[] name = Files.readAllBytes(process.resolve("comm"));
      ByteText comm = new ByteText(16);
      comm.set(name, 0, Math.max(0, name.length - 1));
      Duration sinceKill = Duration.between(killedAt, clock.instant());
      if (!comm.toString().equals(task.getComm()) || age(process).compareTo(sinceKill) < 0) {
        return "";
      }
      // v2: `0::/a/b`; v1: `4:memory:/a/b`, and then v2 has no memory controller
      String v2 = "";
      for (String line : Files.readAllLines(process.resolve("cgroup"), StandardCharsets.UTF_8)) {
        String[] fields = line.split(":", 3);
        if (fields.length == 3 && Arrays.asList(fields[1].split(",")).contains("memory")) {
          return fields[2];
        }
        v2 = fields.length == 3 && fields[0].equals("0") ? fields[2] : v2;
      }
      return v2;
    } catch (IOException | NumberFormatException | IndexOutOfBoundsException e) {
      return "";
    }
  }

  /** How long ago the process was started. */
  private Duration age(Path process) throws IOException {
    // 815 (java) S 1 815 815 0 -1 4194560 … 4711 …
    String stat = Files.readString(process.resolve("stat"), StandardCharsets.ISO_8859_1);
    String[] afterName = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
    long startedNanos = Long.parseLong(afterName[START_TIME_AFTER_NAME]) * NANOS_PER_TICK;
    // 35467.91 70401.22
    String uptime = Files.readString(procRoot.resolve("uptime"));
    double uptimeSeconds = Double.parseDouble(uptime.substring(0, uptime.indexOf(' ')));
    return Duration.ofNanos((long) (uptimeSeconds * 1e9) - startedNanos);
  }
}
