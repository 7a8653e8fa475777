package dev.exit137.oomreport.explain;

import dev.exit137.oomreport.event.CgroupPath;
import dev.exit137.proto.v1.ChosenTask;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import dev.exit137.proto.v1.Trigger;

/** The explanation's first sentence: the process that was killed, and the memory that ran out. */
final class Headline {
    private Headline() {}

    static String of(Oom oom) {
        String reason = reason(oom);
        if (oom.event().getOutcome() == OomKillEvent.Outcome.KILLED) {
            return killed(oom, reason);
        }
        String ran = "The OOM killer ran" + (reason.isEmpty() ? "" : " because " + reason) + when(oom);
        return switch (oom.event().getOutcome()) {
            case NO_KILLABLE_PROCESS -> ran + ", and found no process that it may kill.";
            case PANIC -> ran + ", and the kernel panicked.";
            default -> ran + "; " + notSeen(oom);
        };
    }

    private static String killed(Oom oom, String reason) {
        if (!oom.event().hasVictim()) {
            boolean counted = oom.event().getEvidenceList().contains(Evidence.MEMORY_EVENTS);
            String cgroup = oom.event().getCgroupPath();
            return "The OOM killer killed a process"
                    + (cgroup.isEmpty() || cgroup.equals(oom.limitCgroup()) ? "" : in(oom, cgroup))
                    + (reason.isEmpty() ? "" : " because " + reason)
                    + (counted ? "; only a counter saw it, and no record of it was read in the kernel's log." : ".");
        }
        int others = oom.incident().getGroupKill() ? oom.incident().getKillsSoFar() - 1 : 0;
        String held = oom.victimHeld().isPresent()
                ? ", which held " + Sizes.text(oom.victimHeld().getAsLong())
                : "";
        String where = oom.isVictimElsewhere() || (oom.isNode() && Oom.isOwned(oom.victimCgroup()))
                ? in(oom, oom.victimCgroup())
                : "";
        String group = others > 0
                ? (held.isEmpty() ? "" : ",") + " and " + others + " more of its cgroup (memory.oom.group)"
                : "";
        String subject = "The kernel killed " + oom.victim() + where + held + group;
        return reason.isEmpty()
                ? subject + when(oom) + "; no record says what ran out."
                : subject + (group.isEmpty() && !held.isEmpty() ? "," : "") + " because " + reason + when(oom) + ".";
    }

    /** The victim's place, with its image. */
    private static String in(Oom oom, String cgroup) {
        return " in " + oom.name(cgroup) + image(oom);
    }

    private static String image(Oom oom) {
        String image = oom.event().getContainer().getImage();
        return image.isEmpty() ? "" : " (image " + image + ")";
    }

    private static String notSeen(Oom oom) {
        ChosenTask chosen = oom.incident().getChosen();
        if (!chosen.hasPid()) {
            return "the log does not say whom it killed.";
        }
        return "it chose " + Oom.process(chosen.getComm(), chosen.getPid())
                + ", and the log does not say that it was killed.";
    }

    /** A clause with the reason; empty where the scope is not known. */
    private static String reason(Oom oom) {
        if (oom.isAskedFor()) {
            return "someone asked for it (sysrq f)";
        }
        return switch (oom.event().getScope()) {
            case MEMCG -> memcg(oom);
            case GLOBAL -> node(oom);
            case CPUSET -> numaNodes(oom.incident().getMemsAllowed(), cpuset(oom));
            case MEMORY_POLICY -> numaNodes(oom.incident().getNodemask(), "a memory policy");
            default -> "";
        };
    }

    private static String memcg(Oom oom) {
        String full = oom.limitCgroup();
        String owner = full.isEmpty() ? "a memory cgroup" : oom.name(full);
        if (!full.isEmpty()
                && oom.isVictimElsewhere()
                && (oom.victimCgroup() + "/").startsWith(full.equals("/") ? "/" : full + "/")) {
            owner += ", above it,";
        } else if (full.equals(oom.victimCgroup())) {
            owner += image(oom);
        }
        Limit limit = oom.limit();
        return owner + " reached its " + MemcgRules.hitLimit(limit)
                + (limit.getOwnerCgroup().isEmpty() ? "" : ", which is all of its pod's")
                + (limit.getInferred() ? " (inferred from its usage right after the kill)" : "");
    }

    private static String node(Oom oom) {
        if (oom.isPageFault()) {
            return "a page fault got no memory";
        }
        if (NodeRules.isConfinedToZones(oom)) {
            return "the memory that the allocation could use ran out (" + Zones.names(oom.zones().usable) + ")";
        }
        int order = oom.trigger().getOrder();
        return order > 0 && !oom.zones().areAllLow()
                ? "the node had no " + NodeRules.block(oom) + " for an allocation"
                : "the node ran out of memory";
    }

    /** The cpuset by name. The report has only the last name of its path. */
    private static String cpuset(Oom oom) {
        String name = oom.incident().getCpuset();
        if (name.isEmpty()) {
            return "its cpuset";
        }
        return CgroupPath.parse(name).container().isPresent() ? "the cpuset of " + oom.name(name) : "cpuset " + name;
    }

    private static String numaNodes(String nodes, String by) {
        return (nodes.isEmpty() ? "the NUMA nodes" : "NUMA node " + nodes) + ", to which " + by
                + " confines the allocation, ran out of memory";
    }

    /** A clause with the process that asked for memory, where that is not the victim. */
    private static String when(Oom oom) {
        Trigger trigger = oom.trigger();
        boolean same = (trigger.hasPid() && oom.event().getVictim().hasPid())
                ? trigger.getPid() == oom.event().getVictim().getPid()
                : trigger.getComm().equals(oom.event().getVictim().getComm());
        if (trigger.getComm().isEmpty() || same || oom.isAskedFor()) {
            return "";
        }
        String asking =
                trigger.hasPid() ? Oom.process(trigger.getComm(), trigger.getPid()) : Oom.process(trigger.getComm());
        return " when " + asking + " asked for memory";
    }
}
