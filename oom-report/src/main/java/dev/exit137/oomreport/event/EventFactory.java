package dev.exit137.oomreport.event;

import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import dev.exit137.oomreport.incident.OomIncident;
import dev.exit137.oomreport.parse.OomLine;
import dev.exit137.oomreport.parse.OomLine.Wording;
import dev.exit137.proto.v1.ChosenTask;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.IncidentOrBuilder;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.LimitOrBuilder;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Certainty;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import dev.exit137.proto.v1.Trigger;
import dev.exit137.proto.v1.Victim;
import dev.exit137.proto.v1.Zone;
import java.time.Instant;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/** Makes events from the records and the counters. A field without evidence stays absent. */
public final class EventFactory {
    private static final int MAX_CANDIDATES = 256;

    private final Node node;
    private final EventIds ids;

    /** @param ids the ids of the events and incidents */
    public EventFactory(Node node, EventIds ids) {
        this.node = node;
        this.ids = ids;
    }

    /**
     * The times at which a kill or an OOM happened and was observed.
     *
     * @param kernelTimeMicros since boot, as printk stamped the record; negative where it did not
     * @param wall null where it is not known
     * @param observed null where no agent watched
     */
    public record Times(
            long kernelTimeMicros,
            @Nullable Instant wall,
            @Nullable Instant observed,
            boolean recovered) {}

    /** The event of a process that was killed. */
    public OomKillEvent.Builder kill(
            OomIncident incident,
            OomLine killed,
            long sequence,
            Attribution attribution,
            Limit.Builder limit,
            Times times) {
        OomKillEvent.Builder event = fromIncident(incident, times)
                .setEventId(ids.kill(sequence))
                .setOutcome(Outcome.KILLED)
                .setVictim(victim(incident, killed))
                .addEvidence(Evidence.KMSG_KILLED)
                .addAllEvidence(attribution.sources());
        setCgroup(event, attribution);
        if (event.getScope() == Scope.UNKNOWN) {
            event.setScope(scope(killed.wording()));
        }
        return setLimit(event.setCertainty(certainty(attribution)), limit);
    }

    /** The event of an OOM without a kill, or with a kill that no record shows. */
    public OomKillEvent.Builder withoutKill(OomIncident incident, Limit.Builder limit, Times times) {
        OomKillEvent.Builder event = fromIncident(incident, times);
        event.setEventId(event.getIncident().getId());
        event.setCertainty(Certainty.SINGLE_SOURCE);
        if (incident.isSummarized()) {
            event.addEvidence(Evidence.KMSG_SUMMARY);
        }
        return setLimit(event, limit)
                .setOutcome(
                        incident.isPanic()
                                ? Outcome.PANIC
                                : incident.isNoKillableProcess() ? Outcome.NO_KILLABLE_PROCESS : Outcome.KILL_NOT_SEEN);
    }

    /**
     * The event of a kill that only a counter shows.
     *
     * @param inode inode of the cgroup with the counter
     * @param below whether the kill was in a removed cgroup below that one
     * @param ordinal the number of the kill among those of that cgroup, or of those below; from 1
     */
    public OomKillEvent.Builder countedOnly(
            long inode, boolean below, long ordinal, Attribution attribution, Times times) {
        String id =
                node.getBootId() + "/cgroup/" + Long.toUnsignedString(inode) + "/" + (below ? "below/" : "") + ordinal;
        OomKillEvent.Builder event = base(times)
                .setEventId(id)
                .setScope(Scope.UNKNOWN)
                .setOutcome(Outcome.KILLED)
                .addEvidence(Evidence.MEMORY_EVENTS)
                .setCertainty(attribution.isKnown() ? Certainty.SINGLE_SOURCE : Certainty.AMBIGUOUS);
        setCgroup(event, attribution);
        event.getIncidentBuilder().setId(id).setKillsSoFar(1);
        return event;
    }

    private static void setCgroup(OomKillEvent.Builder event, Attribution attribution) {
        List<String> candidates = attribution.candidates().stream()
                .filter(path -> !path.equals(Attribution.UNSEEN))
                .toList();
        int listed = Math.min(candidates.size(), MAX_CANDIDATES);
        event.setCgroupPath(attribution.path())
                .addAllCandidates(candidates.subList(0, listed))
                .setCandidatesOmitted(attribution.candidates().size() - listed);
    }

    private OomKillEvent.Builder base(Times times) {
        OomKillEvent.Builder event =
                OomKillEvent.newBuilder().setRevision(1).setNode(node).setRecovered(times.recovered());
        if (times.observed() != null) {
            event.setObservedTime(timestamp(times.observed()));
        }
        if (times.wall() != null) {
            event.setTime(timestamp(times.wall()));
        }
        if (times.kernelTimeMicros() >= 0) {
            event.setKernelTime(Duration.newBuilder()
                    .setSeconds(times.kernelTimeMicros() / 1_000_000)
                    .setNanos((int) (times.kernelTimeMicros() % 1_000_000) * 1000));
        }
        return event;
    }

    private OomKillEvent.Builder fromIncident(OomIncident incident, Times times) {
        OomKillEvent.Builder event = base(times)
                .setScope(scope(incident))
                .setConstraint(incident.constraint().toString());
        Incident.Builder message = event.getIncidentBuilder()
                .setId(ids.incident(incident.firstSequence()))
                .setOomMemcg(incident.oomMemcg().toString())
                .setTaskMemcg(incident.taskMemcg().toString())
                .setGroupKill(incident.isGroupKill())
                .setKillsSoFar(incident.kills())
                .setRepeatedKillRecords(incident.repeatedKillRecords())
                .setAlreadyExiting(incident.alreadyExiting())
                .setNodemask(incident.nodemask().toString())
                .setCpuset(incident.cpuset().toString())
                .setMemsAllowed(incident.memsAllowed().toString());
        if (incident.isInvoked()) {
            message.setTrigger(trigger(incident));
        }
        if (incident.chosenPid() != OomLine.ABSENT) {
            message.setChosen(chosen(incident));
        }
        return event;
    }

    private static Trigger trigger(OomIncident incident) {
        Trigger.Builder trigger = Trigger.newBuilder()
                .setComm(incident.triggerComm().toString())
                .setGfpMask(incident.gfpMask().toString());
        ifPresentInt(incident.triggerPid(), trigger::setPid);
        ifPresentInt(incident.triggerCpu(), trigger::setCpu);
        ifPresentInt(incident.order(), trigger::setOrder);
        ifPresentInt(incident.triggerOomScoreAdj(), trigger::setOomScoreAdj);
        return trigger.build();
    }

    private static ChosenTask chosen(OomIncident incident) {
        ChosenTask.Builder chosen =
                ChosenTask.newBuilder().setComm(incident.chosenComm().toString());
        ifPresentInt(incident.chosenPid(), chosen::setPid);
        ifPresentInt(incident.chosenUid(), chosen::setUid);
        ifPresentInt(incident.chosenOomScore(), chosen::setOomScore);
        return chosen.build();
    }

    private static Victim victim(OomIncident incident, OomLine killed) {
        Victim.Builder victim = Victim.newBuilder().setComm(killed.comm().toString());
        ifPresentInt(killed.pid(), victim::setPid);
        ifPresentInt(killed.uid(), victim::setUid);
        ifPresent(killed.totalVmBytes(), victim::setTotalVmBytes);
        ifPresent(killed.anonRssBytes(), victim::setAnonRssBytes);
        ifPresent(killed.fileRssBytes(), victim::setFileRssBytes);
        ifPresent(killed.shmemRssBytes(), victim::setShmemRssBytes);
        ifPresent(killed.pgtablesBytes(), victim::setPgtablesBytes);
        ifPresentInt(killed.oomScoreAdj(), victim::setOomScoreAdj);
        if (incident.chosenPid() == killed.pid()) {
            ifPresentInt(incident.chosenOomScore(), victim::setOomScore);
        }
        return victim.build();
    }

    private static Scope scope(OomIncident incident) {
        return switch (incident.constraint().toString()) {
            case "CONSTRAINT_MEMCG" -> Scope.MEMCG;
            // Kernels before 5.3 print CONSTRAINT_NONE for a memcg OOM, too; its oom_memcg shows that it is one.
            case "CONSTRAINT_NONE" -> incident.isMemcg() ? Scope.MEMCG : Scope.GLOBAL;
            case "CONSTRAINT_CPUSET" -> Scope.CPUSET;
            case "CONSTRAINT_MEMORY_POLICY" -> Scope.MEMORY_POLICY;
            default -> incident.isMemcg() ? Scope.MEMCG : scope(incident.wording());
        };
    }

    private static Scope scope(Wording wording) {
        return switch (wording) {
            case MEMCG -> Scope.MEMCG;
            case NODE -> Scope.GLOBAL;
            case CPUSET -> Scope.CPUSET;
            case MEMORY_POLICY -> Scope.MEMORY_POLICY;
            case NONE -> Scope.UNKNOWN;
        };
    }

    /** The limit that was hit, as far as the incident's own records show it. */
    public static Limit.Builder limit(OomIncident incident) {
        Limit.Builder limit = Limit.newBuilder();
        // In place of a path the kernel may print `(name too long)`.
        if (incident.oomMemcg().startsWith('/')) {
            limit.setCgroup(incident.oomMemcg().toString());
        }
        ifPresent(incident.limitBytes(), limit::setLimitBytes);
        ifPresent(incident.usageBytes(), limit::setUsageBytes);
        ifPresent(incident.swapLimitBytes(), limit::setSwapLimitBytes);
        ifPresent(incident.swapUsageBytes(), limit::setSwapUsageBytes);
        limit.setSwapIncludesMemory(incident.isMemoryPlusSwap());
        ifPresent(incident.failcnt(), limit::setFailcnt);
        ifPresent(incident.kmemLimitBytes(), limit::setKmemLimitBytes);
        ifPresent(incident.kmemUsageBytes(), limit::setKmemUsageBytes);
        return limit;
    }

    /** Adds the data of the report's long blocks. */
    public static void addBlocks(OomKillEvent.Builder event, Incident blocks) {
        Incident.Builder incident = event.getIncidentBuilder().mergeFrom(blocks);
        if (event.getScope() == Scope.UNKNOWN && isOfWholeNode(incident)) {
            event.setScope(Scope.GLOBAL);
            incident.getLimitBuilder().setOwner(Limit.Owner.NODE);
        }
    }

    /**
     * Whether the report is of the whole node. A report that shows the node's memory is not of a cgroup's limit. No
     * cpuset and no policy can have confined the allocation where the root cpuset, which has all NUMA nodes, has only
     * one, or where the kernel is built without NUMA (CONFIG_NUMA): it prints {@code Normal free:}, and not
     * {@code Node 0 Normal free:}.
     */
    private static boolean isOfWholeNode(IncidentOrBuilder incident) {
        boolean onlyNode = incident.getCpuset().equals("/")
                && incident.getMemsAllowed().chars().allMatch(Character::isDigit)
                && !incident.getMemsAllowed().isEmpty();
        List<Zone> zones = incident.getNodeMemory().getZonesList();
        boolean withoutNuma = !zones.isEmpty() && zones.stream().noneMatch(Zone::hasNumaNode);
        return incident.hasNodeMemory() && (onlyNode || withoutNuma);
    }

    /** Sets the limit that was hit, and its owner. */
    public static OomKillEvent.Builder setLimit(OomKillEvent.Builder event, Limit.Builder limit) {
        if (event.getScope() == Scope.GLOBAL) {
            limit.setOwner(Limit.Owner.NODE);
        } else if (!limit.getCgroup().isEmpty()) {
            limit.setOwner(CgroupPath.parse(ownerCgroup(limit)).owner());
        }
        event.getIncidentBuilder().setLimit(limit);
        if (limit.getContradictedByCount() > 0 && event.getCertainty() == Certainty.CONFIRMED) {
            event.setCertainty(Certainty.SINGLE_SOURCE);
        }
        return event;
    }

    /** The cgroup whose limit it is; empty where none is known. */
    public static String ownerCgroup(LimitOrBuilder limit) {
        return limit.getOwnerCgroup().isEmpty() ? limit.getCgroup() : limit.getOwnerCgroup();
    }

    private static Certainty certainty(Attribution attribution) {
        if (!attribution.candidates().isEmpty()) {
            return Certainty.AMBIGUOUS;
        }
        return attribution.sources().stream().anyMatch(source -> source != Evidence.KMSG_SUMMARY)
                ? Certainty.CONFIRMED
                : Certainty.SINGLE_SOURCE;
    }

    /** The instant as a message. */
    public static Timestamp timestamp(Instant instant) {
        return Timestamp.newBuilder()
                .setSeconds(instant.getEpochSecond())
                .setNanos(instant.getNano())
                .build();
    }

    static void ifPresent(long value, LongConsumer setter) {
        if (value != OomLine.ABSENT) {
            setter.accept(value);
        }
    }

    private static void ifPresentInt(long value, IntConsumer setter) {
        if (value != OomLine.ABSENT) {
            setter.accept((int) value);
        }
    }

    public static List<Evidence> withCounter(OomKillEvent event) {
        return event.getEvidenceList().contains(Evidence.MEMORY_EVENTS) ? List.of() : List.of(Evidence.MEMORY_EVENTS);
    }
}
