package dev.exit137.cli.render.report;

import dev.exit137.oomreport.event.CgroupPath;
import dev.exit137.oomreport.explain.CgroupName;
import dev.exit137.oomreport.explain.Sizes;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.Victim;
import java.util.OptionalLong;

/** The words for an event's fields in this package. */
final class Words {
    private Words() {}

    static String scope(OomKillEvent.Scope scope) {
        return switch (scope) {
            case MEMCG -> "memory cgroup";
            case GLOBAL -> "node";
            case CPUSET -> "cpuset";
            case MEMORY_POLICY -> "memory policy";
            default -> "scope not known";
        };
    }

    static String withoutKill(OomKillEvent.Outcome outcome) {
        return switch (outcome) {
            case NO_KILLABLE_PROCESS -> "nothing to kill";
            case PANIC -> "kernel panic";
            default -> "kill not seen";
        };
    }

    static String victim(Victim victim) {
        return comm(victim.getComm()) + (victim.hasPid() ? " (" + Integer.toUnsignedString(victim.getPid()) + ")" : "");
    }

    /** Its resident memory; a dash if it is not known. */
    static String held(Victim victim) {
        OptionalLong bytes = heldBytes(victim);
        return bytes.isPresent() ? Sizes.text(bytes.getAsLong()) : "-";
    }

    static OptionalLong heldBytes(Victim victim) {
        return victim.hasAnonRssBytes() || victim.hasFileRssBytes() || victim.hasShmemRssBytes()
                ? OptionalLong.of(victim.getAnonRssBytes() + victim.getFileRssBytes() + victim.getShmemRssBytes())
                : OptionalLong.empty();
    }

    static String comm(String comm) {
        return comm.isEmpty() ? "?" : comm;
    }

    static String cgroup(OomKillEvent event) {
        return event.getCgroupPath().isEmpty() ? event.getIncident().getTaskMemcg() : event.getCgroupPath();
    }

    /** A name that survives a restart of the container: its pod, else the cgroup. */
    static String home(OomKillEvent event) {
        String cgroup = cgroup(event);
        if (cgroup.isEmpty()) {
            return "";
        }
        String pod = CgroupPath.parse(cgroup).podUid();
        return " in " + (pod.isEmpty() ? CgroupName.of(cgroup) : "pod " + pod);
    }

    /** {@code 3 OOMs}. */
    static String count(long count, String one, String many) {
        return count + " " + (count == 1 ? one : many);
    }
}
