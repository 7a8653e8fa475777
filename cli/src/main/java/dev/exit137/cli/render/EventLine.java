package dev.exit137.cli.render;

import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.Pod;
import dev.exit137.proto.v1.Victim;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** One kill on one line, in columns: time, node, cgroup or container, victim, memory held, limit, event id. */
final class EventLine {
    private static final String COLUMNS = "%-23s  %-14s  %-34s  %-23s  %10s  %-20s  %s";
    private static final int SHORT_ID_LENGTH = 12;

    private EventLine() {}

    /** The names of the columns; the one of the times has their offset from UTC. */
    static String header(ZoneId zone, Instant time) {
        return String.format(
                Locale.ROOT,
                COLUMNS,
                "TIME (" + Text.offset(zone, time) + ")",
                "NODE",
                "WHERE",
                "VICTIM",
                "HELD",
                "LIMIT",
                "EVENT");
    }

    static String of(OomKillEvent event, ZoneId zone) {
        StringBuilder line = new StringBuilder(String.format(
                Locale.ROOT,
                COLUMNS,
                Text.time(event.getTime(), zone),
                Text.printable(event.getNode().getName()),
                where(event),
                victim(event),
                held(event),
                limit(event, !isSaidByWhere(event)),
                Text.printable(event.getEventId())));
        markers(event).forEach(marker -> line.append("  [").append(marker).append(']'));
        return line.toString();
    }

    /** The most familiar name of the place: pod and container, else unit, else cgroup. */
    static String where(OomKillEvent event) {
        Container container = event.getContainer();
        Pod pod = container.getPod();
        String name = firstOf(container.getName(), shortId(container.getId()));
        if (!pod.getName().isEmpty()) {
            return Text.printable(pod.getNamespace() + "/" + pod.getName() + (name.isEmpty() ? "" : "/" + name));
        }
        if (!pod.getUid().isEmpty()) {
            return Text.printable("pod " + pod.getUid() + (name.isEmpty() ? "" : "/" + name));
        }
        if (!name.isEmpty()) {
            return Text.printable(container.getRuntime() + " " + name);
        }
        if (event.getCandidatesCount() > 0) {
            return "one of " + event.getCandidatesCount() + " cgroups";
        }
        return Text.printable(firstOf(event.getUnit(), event.getCgroupPath(), "unknown cgroup"));
    }

    static String victim(OomKillEvent event) {
        if (!event.hasVictim()) {
            return switch (event.getOutcome()) {
                case NO_KILLABLE_PROCESS -> "nothing to kill";
                case PANIC -> "none: kernel panic";
                case KILL_NOT_SEEN -> "kill not seen";
                default -> "unknown process";
            };
        }
        Victim victim = event.getVictim();
        String comm = firstOf(Text.printable(victim.getComm()), "?");
        return victim.hasPid() ? comm + "(" + Integer.toUnsignedString(victim.getPid()) + ")" : comm;
    }

    /** The memory that the kill can have freed: all resident memory, including pages shared with others. */
    static String held(OomKillEvent event) {
        Victim victim = event.getVictim();
        if (!victim.hasAnonRssBytes() && !victim.hasFileRssBytes() && !victim.hasShmemRssBytes()) {
            return "-";
        }
        return Text.bytes(victim.getAnonRssBytes() + victim.getFileRssBytes() + victim.getShmemRssBytes());
    }

    static String limit(OomKillEvent event) {
        return limit(event, true);
    }

    /** Whether the previous column already shows the limit's cgroup: the limit is the victim's own, or its pod's. */
    private static boolean isSaidByWhere(OomKillEvent event) {
        Limit limit = event.getIncident().getLimit();
        return EventFactory.ownerCgroup(limit).equals(event.getCgroupPath())
                || (limit.getOwner() == Limit.Owner.POD && event.getCgroupPath().startsWith(limit.getCgroup() + "/"));
    }

    private static String limit(OomKillEvent event, boolean withCgroup) {
        Incident incident = event.getIncident();
        Limit limit = incident.getLimit();
        String owner = switch (limit.getOwner()) {
            case UNSPECIFIED, UNRECOGNIZED -> limit.getCgroup().isEmpty() ? "unknown" : "limit";
            case NODE -> "the node's memory";
            case QOS_CLASS -> "QoS class";
            case NODE_ALLOCATABLE -> "node allocatable";
            default -> limit.getOwner().name().toLowerCase(Locale.ROOT);
        };
        return owner
                + (limit.hasLimitBytes() ? " " + Text.bytes(limit.getLimitBytes()) : "")
                + (!withCgroup || limit.getCgroup().isEmpty()
                        ? ""
                        : " " + Text.printable(EventFactory.ownerCgroup(limit)));
    }

    static List<String> markers(OomKillEvent event) {
        List<String> markers = new ArrayList<>();
        if (event.getRecovered()) {
            markers.add("recovered");
        }
        if (event.getCertainty() == OomKillEvent.Certainty.AMBIGUOUS) {
            markers.add("ambiguous");
        }
        if (event.getRevision() > 1) {
            markers.add("revision " + event.getRevision());
        }
        return markers;
    }

    private static String shortId(String id) {
        return id.length() > SHORT_ID_LENGTH ? id.substring(0, SHORT_ID_LENGTH) : id;
    }

    private static String firstOf(String... names) {
        for (String name : names) {
            if (!name.isEmpty()) {
                return name;
            }
        }
        return "";
    }
}
