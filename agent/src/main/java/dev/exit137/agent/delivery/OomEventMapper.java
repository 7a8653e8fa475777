package dev.exit137.agent.delivery;

import com.google.protobuf.Timestamp;
import dev.exit137.agent.cgroup.AfterKillReader;
import dev.exit137.agent.container.ContainerProcesses;
import dev.exit137.agent.container.Identities;
import dev.exit137.agent.container.Identity;
import dev.exit137.agent.container.TaskCgroups;
import dev.exit137.agent.correlate.KillReport;
import dev.exit137.agent.history.Workloads;
import dev.exit137.agent.linux.Sys;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.oomreport.event.CgroupPath;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.oomreport.event.MemoryRequest;
import dev.exit137.oomreport.explain.Explainer;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import dev.exit137.proto.v1.OomKillEventOrBuilder;
import dev.exit137.proto.v1.Task;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Completes an event with the parts that are not urgent: the report's blocks, the cgroup's files, the explanation.
 * Agent-worker thread.
 */
public final class OomEventMapper {
    private final Identities identities;
    private final ContainerProcesses processes;
    private final TaskCgroups taskCgroups;
    private final @Nullable Long nodeMemoryBytes;
    final Workloads workloads;
    private final Guard guard;

    /**
     * @param nodeMemoryBytes as procfs tells it; null where it does not
     * @param guard of this process: an event that cannot be explained goes out without an explanation
     */
    public OomEventMapper(
            Identities identities,
            ContainerProcesses processes,
            TaskCgroups taskCgroups,
            @Nullable Long nodeMemoryBytes,
            Workloads workloads,
            Guard guard) {
        this.identities = identities;
        this.processes = processes;
        this.taskCgroups = taskCgroups;
        this.nodeMemoryBytes = nodeMemoryBytes;
        this.workloads = workloads;
        this.guard = guard;
    }

    /** Maps a report to an event, without the fields that only the container's runtime knows: {@link #name} adds them. */
    OomKillEvent map(KillReport report) {
        OomKillEvent.Builder event = report.event().toBuilder();
        if (report.blocks() != null) {
            EventFactory.addBlocks(event, report.blocks().blocks(Sys.pageSizeBytes()));
        }
        if (report.sampled() != null) {
            addSample(event, report.sampled());
        }
        if (report.afterKill() != null) {
            event.setAfterKill(AfterKillReader.parse(report.afterKill()));
        }
        CgroupPath.describe(event);
        List<Task> tasks = taskCgroups.find(event);
        event.getIncidentBuilder().clearTasks().addAllTasks(tasks);
        nameTasks(event);
        if (nodeMemoryBytes != null) {
            MemoryRequest.estimate(event, nodeMemoryBytes);
        }
        addProcesses(event);
        workloads.add(event);
        explain(event);
        return event.build();
    }

    private void explain(OomKillEvent.Builder event) {
        guard.run("explaining", () -> Explainer.explain(event.clearExplanation().clearRecommendations()));
    }

    /** Adds the sample, unless the kernel's own report shows the memory: the kernel's figures take precedence. */
    private static void addSample(OomKillEvent.Builder event, Incident sampled) {
        Incident.Builder incident = event.getIncidentBuilder();
        if (incident.hasMemory()) {
            return;
        }
        incident.mergeFrom(sampled);
        if (!incident.getLimit().hasLimitBytes()
                && incident.getLimit()
                        .getCgroup()
                        .equals(sampled.getMemorySample().getCgroup())) {
            incident.getLimitBuilder().setLimitBytes(sampled.getMemorySample().getLimitBytes());
        }
    }

    /** Adds the facts about the container's processes that were seen before the kill. */
    private void addProcesses(OomKillEvent.Builder event) {
        String id = event.getContainer().getId();
        if (id.isEmpty()) {
            return;
        }
        processes.jvm(id, killedAt(event)).ifPresent(event.getContainerBuilder()::setJvm);
        if (event.getVictim().hasPid()) {
            processes
                    .isInit(id, event.getVictim().getPid(), killedAt(event))
                    .ifPresent(event.getVictimBuilder()::setIsContainerInit);
        }
    }

    private static Instant killedAt(OomKillEventOrBuilder event) {
        Timestamp time = event.getTime();
        return Instant.ofEpochSecond(time.getSeconds(), time.getNanos());
    }

    /** Adds the names of the containers of the report's largest tasks. */
    private void nameTasks(OomKillEvent.Builder event) {
        for (Task.Builder task : event.getIncidentBuilder().getTasksBuilderList()) {
            if (!task.getContainer().getId().isEmpty()) {
                identities
                        .find(task.getContainer().getId())
                        .map(Identity::container)
                        .ifPresent(known -> {
                            task.getContainerBuilder().setName(known.getName());
                            task.getContainerBuilder()
                                    .getPodBuilder()
                                    .setName(known.getPod().getName())
                                    .setNamespace(known.getPod().getNamespace());
                        });
            }
        }
    }

    /** Adds the facts that the container's runtime knows. */
    OomKillEvent name(OomKillEvent unnamed, Identity identity) {
        OomKillEvent.Builder event = unnamed.toBuilder();
        nameTasks(event);
        event.getContainerBuilder().mergeFrom(identity.container());
        event.putAllComposeLabels(identity.composeLabels());
        if (event.getVictim().hasPid()) {
            identities
                    .isInit(identity, event.getVictim().getPid(), killedAt(event))
                    .ifPresent(event.getVictimBuilder()::setIsContainerInit);
        }
        if (!event.getEvidenceList().contains(Evidence.CRI)) {
            event.addEvidence(Evidence.CRI);
        }
        workloads.add(event);
        explain(event);
        return event.build();
    }

    /** Whether the main process of the event's container is alive now; empty where that process is not known. */
    Optional<Boolean> isContainerAlive(OomKillEvent event) {
        String id = event.getContainer().getId();
        return processes
                .initPid(id, killedAt(event))
                .or(() -> identities.find(id).map(Identity::mainPid))
                .map(pid -> processes.isIn(pid, id));
    }

    /** Adds whether the container outlived the kill. */
    OomKillEvent.Builder withFate(OomKillEvent sent, boolean containerOutlived) {
        OomKillEvent.Builder event = sent.toBuilder();
        event.getVictimBuilder().setContainerOutlived(containerOutlived);
        explain(event);
        return event;
    }
}
