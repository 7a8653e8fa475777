package dev.exit137.cli.render.report;

import dev.exit137.oomreport.explain.Sizes;
import dev.exit137.oomreport.explain.Zones;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.NodeMemory;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import dev.exit137.proto.v1.Zone;
import java.util.ArrayList;
import java.util.List;
import java.util.StringJoiner;

/** Shows why a node could not serve an allocation: its memory, and the zones with their minimum of free memory. */
final class NodeText {
    private static final int MAX_ZONES = 16;
    private static final String COLUMNS = "%4s  %-8s %10s %10s  %-13s  %s";

    private NodeText() {}

    static void print(OomKillEvent event, Page page) {
        if (event.getScope() == Scope.MEMCG) {
            return;
        }
        Incident incident = event.getIncident();
        page.entry("node", node(incident.getNodeMemory()));
        page.entry("confined", confined(event));
        page.entry("zones", zones(incident));
    }

    private static String node(NodeMemory memory) {
        StringJoiner text = new StringJoiner(", ");
        if (memory.hasRamBytes()) {
            text.add(Sizes.text(memory.getRamBytes()) + " RAM"
                    + (memory.getReservedBytes() > 0
                            ? " (" + Sizes.text(memory.getReservedBytes()) + " reserved)"
                            : ""));
        }
        if (memory.hasSwapTotalBytes()) {
            text.add(
                    memory.getSwapTotalBytes() == 0
                            ? "no swap"
                            : Sizes.text(memory.getSwapTotalBytes()) + " swap"
                                    + (memory.hasSwapFreeBytes()
                                            ? ", " + Sizes.text(memory.getSwapFreeBytes()) + " of it free"
                                            : ""));
        }
        return text.toString();
    }

    /** The NUMA nodes to which the allocation was restricted, if that is the reason for its failure. */
    private static String confined(OomKillEvent event) {
        Incident incident = event.getIncident();
        if (!incident.getNodemask().isEmpty()) {
            return "to NUMA node " + incident.getNodemask() + " by a memory policy";
        }
        return event.getScope() == Scope.CPUSET && !incident.getMemsAllowed().isEmpty()
                ? ("to NUMA node " + incident.getMemsAllowed() + " by cpuset " + incident.getCpuset()).strip()
                : "";
    }

    private static List<String> zones(Incident incident) {
        List<Zone> zones = incident.getNodeMemory().getZonesList();
        List<String> lines = new ArrayList<>();
        if (zones.isEmpty()) {
            return lines;
        }
        Zones seen = Zones.of(incident);
        lines.add(String.format(COLUMNS, "NUMA", "ZONE", "FREE", "TO KEEP", "LARGEST BLOCK", "FOR THIS ALLOCATION"));
        for (Zone zone : zones.subList(0, Math.min(zones.size(), MAX_ZONES))) {
            lines.add(String.format(
                    COLUMNS,
                    zone.getNumaNode(),
                    zone.getName(),
                    size(zone.hasFreeBytes(), zone.getFreeBytes()),
                    size(zone.hasMinBytes(), seen.keptBytes(zone)),
                    largestBlock(incident, zone),
                    state(seen, zone)));
        }
        if (zones.size() > MAX_ZONES) {
            lines.add("and " + (zones.size() - MAX_ZONES) + " more");
        }
        return lines;
    }

    private static String state(Zones zones, Zone zone) {
        if (!zones.isUsable(zone)) {
            return "not allowed";
        }
        if (!zone.hasFreeBytes() || !zone.hasMinBytes()) {
            return "";
        }
        if (zones.isShort(zone)) {
            return zone.getFreeBytes() > zones.keptBytes(zone) ? "short without CMA" : "short";
        }
        if (zones.isLow(zone)) {
            return "low";
        }
        return zones.hasBlock(zone) ? "has memory" : "no block large enough";
    }

    private static String largestBlock(Incident incident, Zone zone) {
        int order = Zones.largestOrder(zone);
        if (zone.getFreeBlocksCount() == 0) {
            return "";
        }
        return order < 0 ? "none" : Sizes.text(incident.getPageSizeBytes() << order);
    }

    private static String size(boolean known, long bytes) {
        return known ? Sizes.text(bytes) : "";
    }
}
