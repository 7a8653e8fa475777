package dev.exit137.agent.history;

import com.google.protobuf.Timestamp;
import dev.exit137.daemon.collect.BoundedMap;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.v1.AfterKill;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import dev.exit137.proto.v1.OomKillEventOrBuilder;
import dev.exit137.proto.v1.Pod;
import dev.exit137.proto.v1.WorkloadHistory;
import dev.exit137.proto.v1.WorkloadOom;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The OOMs of each workload on this node, for the workloads killed most recently. An OOM counts once, however many
 * revisions and victims report it. Agent-worker thread.
 */
public final class Workloads {
    static final int MAX_WORKLOADS = 128;
    static final int MAX_RECENT = 8;
    private static final int MAX_TOLD = 2048;
    private static final Comparator<Timestamp> BY_TIME =
            Comparator.comparingLong(Timestamp::getSeconds).thenComparingInt(Timestamp::getNanos);
    private static final String LABEL_NAME = "app.kubernetes.io/name";
    private static final String LABEL_INSTANCE = "app.kubernetes.io/instance";
    private static final String LABEL_JOB = "batch.kubernetes.io/job-name";
    /** Of a ReplicaSet's pod. */
    private static final String LABEL_HASH = "pod-template-hash";
    /** Of a StatefulSet's pod. */
    private static final String LABEL_INDEX = "apps.kubernetes.io/pod-index";
    /** Of a DaemonSet's pod. */
    private static final String LABEL_GENERATION = "pod-template-generation";
    /** Minutes since 1970: kubernetes/pkg/controller/cronjob/utils.go, getJobName(). */
    private static final Pattern TIME_OF_CRON_JOB = Pattern.compile("-[0-9]{8,}$");

    private static final String COMPOSE_PROJECT = "com.docker.compose.project";
    private static final String COMPOSE_SERVICE = "com.docker.compose.service";

    private final Map<String, WorkloadHistory> byWorkload = BoundedMap.byAccess(MAX_WORKLOADS);
    /** The history that was sent with an event of a workload, by event and by incident. */
    private final Map<String, WorkloadHistory> told = BoundedMap.byAccess(MAX_TOLD);

    /** @param remembered the histories of an earlier run of the agent; the workload killed last is at the end */
    public Workloads(List<WorkloadHistory> remembered) {
        remembered.forEach(history -> byWorkload.put(history.getWorkload(), history));
    }

    /** The histories for the next run of the agent. */
    public List<WorkloadHistory> histories() {
        return List.copyOf(byWorkload.values());
    }

    /** Counts the event's OOM, if it is new, and adds the workload's history, if there is one. */
    public void add(OomKillEvent.Builder event) {
        event.clearWorkloadHistory();
        String workload = workload(event);
        if (workload.isEmpty() || event.getOutcome() != Outcome.KILLED || !event.hasTime()) {
            return;
        }
        String byEvent = workload + ' ' + event.getEventId();
        String byIncident = workload + ' ' + event.getIncident().getId();
        WorkloadHistory history = told.get(byEvent);
        if (history == null) {
            history = told.get(byIncident);
        }
        if (history == null) {
            history = counted(workload, event);
            byWorkload.put(workload, history);
        }
        told.put(byEvent, history);
        told.put(byIncident, history);
        if (history.getOoms() > 1) {
            event.setWorkloadHistory(history);
        }
    }

    private WorkloadHistory counted(String workload, OomKillEvent.Builder event) {
        WorkloadHistory before = byWorkload.getOrDefault(workload, WorkloadHistory.getDefaultInstance());
        List<WorkloadOom> recent = new ArrayList<>(before.getRecentList());
        recent.add(oom(event));
        recent.sort(Comparator.comparing(WorkloadOom::getTime, BY_TIME));
        boolean isFirst = !before.hasFirstTime() || BY_TIME.compare(event.getTime(), before.getFirstTime()) < 0;
        return WorkloadHistory.newBuilder()
                .setWorkload(workload)
                .setOoms(before.getOoms() + 1)
                .setFirstTime(isFirst ? event.getTime() : before.getFirstTime())
                .addAllRecent(recent.subList(Math.max(0, recent.size() - MAX_RECENT), recent.size()))
                .build();
    }

    private static WorkloadOom oom(OomKillEvent.Builder event) {
        WorkloadOom.Builder oom = WorkloadOom.newBuilder()
                .setTime(event.getTime())
                .setScope(event.getScope())
                .setComm(event.getVictim().getComm());
        if (event.getVictim().hasAnonRssBytes()) {
            oom.setAnonRssBytes(event.getVictim().getAnonRssBytes());
        }
        Limit limit = event.getIncident().getLimit();
        AfterKill after = event.getAfterKill();
        if (isOwn(limit, event.getCgroupPath())) {
            if (limit.hasLimitBytes()) {
                oom.setOwnLimitBytes(limit.getLimitBytes());
            }
        } else if (event.getScope() != Scope.UNKNOWN
                && after.hasPeakBytes()
                && after.hasMaxBytes()
                && Long.compareUnsigned(after.getPeakBytes(), after.getMaxBytes()) < 0) {
            oom.setUncappedPeakBytes(after.getPeakBytes());
        }
        return oom.build();
    }

    /** Whether the limit is that of the victim's own container or unit. */
    private static boolean isOwn(Limit limit, String victimCgroup) {
        boolean ofOne = limit.getOwner() == Limit.Owner.CONTAINER || limit.getOwner() == Limit.Owner.UNIT;
        return ofOne && (victimCgroup + "/").startsWith(EventFactory.ownerCgroup(limit) + "/");
    }

    /** The workload, as {@link WorkloadHistory#getWorkload} defines it; empty where it has no name of its own. */
    static String workload(OomKillEventOrBuilder event) {
        Container container = event.getContainer();
        String name = name(event);
        if (isInPod(container)) {
            return join(
                    container.getPod().getNamespace(),
                    name.isEmpty() ? container.getPod().getName() : name,
                    container.getName());
        }
        return name;
    }

    private static boolean isInPod(Container container) {
        return !container.getPod().getNamespace().isEmpty()
                && !container.getName().isEmpty();
    }

    /** The name that its labels, its controller, Docker or systemd give it; empty for a pod without any of them. */
    public static String name(OomKillEventOrBuilder event) {
        Container container = event.getContainer();
        if (isInPod(container)) {
            Map<String, String> labels = container.getPod().getLabelsMap();
            if (labels.containsKey(LABEL_NAME)) {
                return join(labels.get(LABEL_NAME), labels.getOrDefault(LABEL_INSTANCE, ""));
            }
            return labels.containsKey("app") ? labels.get("app") : controllerName(container.getPod());
        }
        if (event.containsComposeLabels(COMPOSE_PROJECT) && event.containsComposeLabels(COMPOSE_SERVICE)) {
            return join(event.getComposeLabelsOrThrow(COMPOSE_PROJECT), event.getComposeLabelsOrThrow(COMPOSE_SERVICE));
        }
        if (!container.getId().isEmpty()) {
            return container.getName();
        }
        // A scope is created for one run of a program, and its name is a number.
        return Optional.of(event.getUnit())
                .filter(unit -> unit.endsWith(".service"))
                .orElse("");
    }

    /** The pod's name less what its controller appended, which the labels of controllers tell; empty without them. */
    private static String controllerName(Pod pod) {
        String name = pod.getName();
        Map<String, String> labels = pod.getLabelsMap();
        if (labels.containsKey(LABEL_JOB)) {
            return TIME_OF_CRON_JOB.matcher(labels.get(LABEL_JOB)).replaceFirst("");
        }
        if (labels.containsKey(LABEL_INDEX)) {
            return before(name, "-" + labels.get(LABEL_INDEX));
        }
        if (labels.containsKey(LABEL_HASH)) {
            return before(name, "-" + labels.get(LABEL_HASH) + "-");
        }
        return labels.containsKey(LABEL_GENERATION) ? before(name, "-") : "";
    }

    private static String before(String name, String suffix) {
        int at = name.lastIndexOf(suffix);
        return at < 0 ? "" : name.substring(0, at);
    }

    private static String join(String... parts) {
        return Stream.of(parts).filter(part -> !part.isEmpty()).collect(Collectors.joining("/"));
    }
}
