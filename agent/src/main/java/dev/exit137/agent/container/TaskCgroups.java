package dev.exit137.agent.container;

import com.google.protobuf.Timestamp;
import dev.exit137.agent.linux.ProcessFiles;
import dev.exit137.daemon.collect.BoundedMap;
import dev.exit137.oomreport.event.CgroupPath;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import dev.exit137.proto.v1.OomKillEventOrBuilder;
import dev.exit137.proto.v1.Task;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Finds the cgroups of a report's largest tasks, which the report's table does not have. procfs has the cgroup of a
 * task that still lives: a kill does not move a process. A reused pid is not mistaken for the task: the process must
 * have the task's name, be older than the kill, and be below the limit that was hit. Agent-worker thread.
 */
public final class TaskCgroups {
    private static final int MAX_TASKS = 10;
    private static final int MAX_INCIDENTS = 16;

    private final ProcessFiles processes;
    private final InstantSource clock;
    /** The result of the first look: some tasks end soon after it. */
    private final Map<String, List<Task>> ofIncidents = BoundedMap.byInsertion(MAX_INCIDENTS);

    /** @param procRoot the host's procfs */
    public TaskCgroups(Path procRoot, InstantSource clock) {
        processes = new ProcessFiles(procRoot);
        this.clock = clock;
    }

    /** Returns the tasks of the event's report, with the cgroups of those that are found. */
    public List<Task> find(OomKillEventOrBuilder event) {
        List<Task> tasks = List.copyOf(event.getIncident().getTasksList());
        if (tasks.isEmpty() || !event.hasTime()) {
            return tasks;
        }
        String incident = event.getIncident().getId();
        List<Task> found = ofIncidents.get(incident);
        if (found == null) {
            found = look(event, tasks);
            ofIncidents.put(incident, found);
        }
        return found;
    }

    private List<Task> look(OomKillEventOrBuilder event, List<Task> tasks) {
        if (!processes.countsAsTheKernel()) {
            return tasks;
        }
        Timestamp time = event.getTime();
        Instant killedAt = Instant.ofEpochSecond(time.getSeconds(), time.getNanos());
        Set<Integer> largest = new HashSet<>();
        tasks.stream()
                .sorted(Comparator.comparingLong(Task::getRssBytes).reversed())
                .limit(MAX_TASKS)
                .forEach(task -> largest.add(task.getPid()));
        List<Task> placed = new ArrayList<>(tasks.size());
        for (Task task : tasks) {
            boolean isVictim = event.getVictim().hasPid()
                    && task.getPid() == event.getVictim().getPid();
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
        // A path that starts like this is above the cgroup namespace of this process.
        if (!path.startsWith("/") || path.startsWith("/..")) {
            return false;
        }
        Incident incident = event.getIncident();
        String limit = event.getScope() == Scope.MEMCG ? incident.getLimit().getCgroup() : "/";
        return !limit.isEmpty() && (path + "/").startsWith(limit.equals("/") ? "/" : limit + "/");
    }

    /** @return the path; empty if the process is gone, or the pid belongs to another one */
    private String pathOf(Task task, Instant killedAt) {
        long pid = Integer.toUnsignedLong(task.getPid());
        return processes
                .comm(pid)
                .filter(comm -> comm.toString().equals(task.getComm()))
                .map(same -> Duration.between(killedAt, clock.instant()))
                .filter(sinceKill -> processes
                        .age(pid)
                        .filter(age -> age.compareTo(sinceKill) >= 0)
                        .isPresent())
                .flatMap(older -> processes.cgroupPath(pid))
                .orElse("");
    }
}
