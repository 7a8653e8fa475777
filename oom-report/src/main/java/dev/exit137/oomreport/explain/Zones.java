package dev.exit137.oomreport.explain;

import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.NodeMemory;
import dev.exit137.proto.v1.Zone;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * A report's zones from the view of the allocation that failed: the zones that could have served it, and whether they
 * had the memory (__zone_watermark_ok in the kernel's mm/page_alloc.c).
 */
public final class Zones {
    // From the lowest: any zone below may serve an allocation for one (gfp_zone, the zonelist).
    private static final List<String> NAMES = List.of("DMA", "DMA32", "Normal", "HighMem", "Movable");
    private static final Pattern NUMA_RANGE = Pattern.compile("(\\d{1,6})(?:-(\\d{1,6}))?");
    private static final long DEFAULT_PAGE_BYTES = 4096;

    private final List<Zone> all;
    final List<Zone> usable;
    private final int highest;
    final boolean movable;
    private final int order;
    private final long pageBytes;

    private Zones(Incident incident) {
        OptionalLong gfp = GfpMask.bits(incident.getTrigger().getGfpMask());
        // A mask of zero comes from a page fault, and does not describe the allocation.
        long bits = gfp.isPresent() && gfp.getAsLong() != 0 ? gfp.getAsLong() : GfpMask.HIGHMEM | GfpMask.MOVABLE;
        highest = NAMES.indexOf(highestZone(bits));
        movable = (bits & GfpMask.MOVABLE) != 0;
        order = Math.clamp(incident.getTrigger().getOrder(), 0, 30);
        pageBytes = incident.hasPageSizeBytes() ? incident.getPageSizeBytes() : DEFAULT_PAGE_BYTES;
        NodeMemory memory = incident.getNodeMemory();
        all = memory.getZonesList();
        String nodes = incident.getNodemask().isEmpty() ? incident.getMemsAllowed() : incident.getNodemask();
        usable = all.stream()
                .filter(zone -> rank(zone) <= highest && contains(nodes, zone.getNumaNode()))
                .toList();
    }

    /** The zones of the incident's report; none where it has none. */
    public static Zones of(Incident incident) {
        return new Zones(incident);
    }

    private static String highestZone(long bits) {
        if ((bits & GfpMask.DMA) != 0) {
            return "DMA";
        }
        if ((bits & GfpMask.DMA32) != 0) {
            return "DMA32";
        }
        if ((bits & GfpMask.HIGHMEM) == 0) {
            return "Normal";
        }
        return (bits & GfpMask.MOVABLE) == 0 ? "HighMem" : "Movable";
    }

    /** {@code Device} and unknown names rank above all, since no allocation is served from them. */
    private static int rank(Zone zone) {
        int rank = NAMES.indexOf(zone.getName());
        return rank < 0 ? NAMES.size() : rank;
    }

    /** Whether a list as the kernel prints it, {@code 0-1,3}, has the node; an empty list confines to none. */
    static boolean contains(String list, int numaNode) {
        if (list.isEmpty()) {
            return true;
        }
        for (String part : list.split(",", 0)) {
            Matcher range = NUMA_RANGE.matcher(part);
            if (!range.matches()) {
                return true;
            }
            int first = Integer.parseInt(range.group(1));
            int last = range.group(2) == null ? first : Integer.parseInt(range.group(2));
            if (numaNode >= first && numaNode <= last) {
                return true;
            }
        }
        return false;
    }

    /** Whether the zone might have served the allocation. */
    public boolean isUsable(Zone zone) {
        return usable.contains(zone);
    }

    /** Free memory that the allocation could take: only movable allocations may take the free pages of CMA. */
    public long freeBytes(Zone zone) {
        return movable ? zone.getFreeBytes() : Math.max(0, zone.getFreeBytes() - zone.getSizesOrDefault("free_cma", 0));
    }

    /**
     * Memory that must stay free in the zone: its min, and its reserve against allocations that can use higher zones,
     * too.
     */
    public long keptBytes(Zone zone) {
        return zone.getMinBytes() + reserveBytes(zone);
    }

    /** Whether the zone could not give even one page. */
    public boolean isShort(Zone zone) {
        return isKnown(zone) && freeBytes(zone) <= keptBytes(zone);
    }

    /**
     * Whether the zone had so little that the kernel gives up: before it kills, __alloc_pages_may_oom tries once more
     * with the mark high in place of min.
     */
    public boolean isLow(Zone zone) {
        long mark = Math.max(zone.getMinBytes(), zone.getHighBytes());
        return isKnown(zone) && freeBytes(zone) <= mark + reserveBytes(zone);
    }

    private static boolean isKnown(Zone zone) {
        return zone.hasFreeBytes() && zone.hasMinBytes();
    }

    /** Whether free blocks are large enough; true where the report does not list them. */
    public boolean hasBlock(Zone zone) {
        return zone.getFreeBlocksCount() == 0
                || zone.getFreeBlocksList().stream().skip(order).anyMatch(count -> count > 0);
    }

    /** The order of the largest free block; negative for none. */
    public static int largestOrder(Zone zone) {
        int largest = zone.getFreeBlocksCount() - 1;
        while (largest >= 0 && zone.getFreeBlocks(largest) == 0) {
            largest--;
        }
        return largest;
    }

    /**
     * lowmem_reserve[] has a value for each zone that an allocation can be for: the sum of the zones from the next higher
     * zone to that one. So its distinct values belong, in order, to the populated zones above.
     */
    private long reserveBytes(Zone zone) {
        long zonesBetween = all.stream()
                .filter(other -> other.getNumaNode() == zone.getNumaNode())
                .filter(other -> rank(other) > rank(zone) && rank(other) <= highest)
                .count();
        List<Long> reserves = new ArrayList<>(new TreeSet<>(zone.getLowmemReservePagesList()));
        reserves.removeIf(pages -> pages == 0);
        int index = (int) Math.min(zonesBetween, reserves.size()) - 1;
        return index < 0 ? 0 : reserves.get(index) * pageBytes;
    }

    /** The zones that could not have served it, however much they have free. */
    List<Zone> unusable() {
        return all.stream().filter(zone -> !usable.contains(zone)).toList();
    }

    /** Whether all zones that it could use had too little. */
    boolean areAllLow() {
        return !usable.isEmpty() && usable.stream().allMatch(this::isLow);
    }

    /** Usable zones above their watermarks. */
    List<Zone> withRoom() {
        return usable.stream().filter(zone -> isKnown(zone) && !isLow(zone)).toList();
    }

    /** Free memory above {@link #keptBytes}, in zones that it could not use. */
    long roomElsewhereBytes() {
        return unusable().stream()
                .filter(zone -> rank(zone) < NAMES.size())
                .mapToLong(zone -> Math.max(0, zone.getFreeBytes() - zone.getHighBytes()))
                .sum();
    }

    /** {@code DMA32, Normal}: each name once. */
    static String names(List<Zone> zones) {
        return zones.stream().map(Zone::getName).distinct().collect(Collectors.joining(", "));
    }
}
