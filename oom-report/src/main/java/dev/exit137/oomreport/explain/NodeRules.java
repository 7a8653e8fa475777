package dev.exit137.oomreport.explain;

import dev.exit137.oomreport.explain.Part.Kind;
import dev.exit137.proto.v1.NodeMemory;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import dev.exit137.proto.v1.SlabCache;
import dev.exit137.proto.v1.Task;
import dev.exit137.proto.v1.Zone;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;

/** Rules for an OOM of the node, or of a part of its memory. */
final class NodeRules {
    private static final int NO_ADJ = -1000;
    private static final int MAX_ORDER = 30;

    private NodeRules() {}

    static List<Finding> askedFor(Oom oom) {
        if (!oom.isAskedFor()) {
            return List.of();
        }
        String free = oom.memory().hasFreeBytes()
                ? ", with " + Sizes.text(oom.memory().getFreeBytes()) + " free"
                : "";
        return List.of(new Finding(
                "Memory need not have been short.",
                "Find who asked for the kill (Alt-SysRq-f, or f written to /proc/sysrq-trigger)",
                "order " + oom.trigger().getOrder() + free));
    }

    static List<Finding> pageFault(Oom oom) {
        if (oom.isMemcg() || !oom.isPageFault()) {
            return List.of();
        }
        String free = oom.memory().hasFreeBytes()
                ? ", and the node had " + Sizes.text(oom.memory().getFreeBytes()) + " free"
                : "";
        return List.of(new Finding(
                "The report does not say what the fault asked for; the node need not have been short of memory.",
                "Look for a cgroup at its limit, too (a guess; before 5.16 a fault that failed for it came to this)",
                "gfp_mask 0x0" + free));
    }

    /** {@code block of 32.0 KiB (order 3)}. */
    static String block(Oom oom) {
        int order = Math.clamp(oom.trigger().getOrder(), 0, MAX_ORDER);
        String size = oom.incident().hasPageSizeBytes()
                ? Sizes.text(oom.incident().getPageSizeBytes() << order)
                : (1L << order) + " pages";
        return "block of " + size + " (order " + order + ")";
    }

    /** The allocation asked for more than a page: there is memory, but not in one piece. */
    static List<Finding> fragmentation(Oom oom) {
        List<Zone> room = oom.zones().withRoom();
        if (!oom.isNode() || oom.trigger().getOrder() <= 0 || room.isEmpty()) {
            return List.of();
        }
        long free = room.stream().mapToLong(oom.zones()::freeBytes).sum();
        String where = Sizes.text(free) + " was free in " + Zones.names(room);
        if (room.stream().anyMatch(oom.zones()::hasBlock)) {
            return List.of(Finding.sentence(
                    where + " when the report was printed; that it could not be had before is all that is known."));
        }
        return List.of(new Finding(
                where + ", but no " + block(oom) + " among it: memory was fragmented.",
                "Ask for less in one piece, or keep more free (vm.min_free_kbytes, vm.watermark_scale_factor)",
                "no " + block(oom) + " free, " + where));
    }

    /** The gfp mask kept the allocation from zones that had memory: DMA, DMA32, lowmem of a 32-bit kernel. */
    static boolean isConfinedToZones(Oom oom) {
        Zones zones = oom.zones();
        return oom.isNode()
                && zones.areAllLow()
                && zones.unusable().stream()
                        .anyMatch(zone -> !zones.usable.stream()
                                .map(Zone::getName)
                                .toList()
                                .contains(zone.getName()))
                && zones.roomElsewhereBytes() > 0
                && oom.event().getScope() == Scope.GLOBAL;
    }

    static List<Finding> confinedToZones(Oom oom) {
        if (!isConfinedToZones(oom)) {
            return List.of();
        }
        Zones zones = oom.zones();
        boolean lowmem =
                zones.unusable().stream().anyMatch(zone -> zone.getName().equals("HighMem"));
        String elsewhere =
                Sizes.text(zones.roomElsewhereBytes()) + " above the watermarks in " + Zones.names(zones.unusable());
        return List.of(new Finding(
                "There was " + elsewhere + ", which this allocation could not use.",
                lowmem
                        ? "Use a 64-bit kernel, or have the kernel hold less (slab, page tables, buffers), for it fills lowmem"
                        : "Find the driver that asks for memory of such a zone, since processes' memory is not what was short",
                zoneState(oom, zones.usable) + ", " + elsewhere));
    }

    /** {@code Normal 1.8 MiB free of the 2.0 MiB to be kept}. */
    private static String zoneState(Oom oom, List<Zone> zones) {
        return zones.stream()
                .map(zone -> zone.getName() + " " + Sizes.text(oom.zones().freeBytes(zone)) + " free, "
                        + Sizes.text(oom.zones().keptBytes(zone)) + " to be kept")
                .limit(3)
                .collect(Collectors.joining(", "));
    }

    /** A cpuset or a memory policy kept the allocation from NUMA nodes that had memory. */
    static List<Finding> confinedToNumaNodes(Oom oom) {
        Scope scope = oom.event().getScope();
        if (scope != Scope.CPUSET && scope != Scope.MEMORY_POLICY) {
            return List.of();
        }
        String nodes = scope == Scope.CPUSET
                ? oom.incident().getMemsAllowed()
                : oom.incident().getNodemask();
        long elsewhere = oom.zones().roomElsewhereBytes();
        String room = elsewhere > 0 ? ", " + Sizes.text(elsewhere) + " above the watermarks on the others" : "";
        return List.of(new Finding(
                elsewhere > 0 ? "Other nodes had " + Sizes.text(elsewhere) + " above their watermarks." : "",
                scope == Scope.CPUSET
                        ? "Allow the cpuset more NUMA nodes (cpuset.mems), or run less on these"
                        : "Let the program prefer NUMA nodes rather than bind to them (numactl --preferred for --membind)",
                (nodes.isEmpty() ? "the allocation was confined" : "the allocation was confined to NUMA node " + nodes)
                        + room));
    }

    /** The free memory is kept for movable pages. */
    static List<Finding> freeForMovableOnly(Oom oom) {
        long cma = oom.zones().usable.stream()
                .mapToLong(zone -> zone.getSizesOrDefault("free_cma", 0))
                .sum();
        long free = oom.zones().usable.stream().mapToLong(Zone::getFreeBytes).sum();
        if (!oom.isNode() || oom.zones().movable || !oom.zones().areAllLow() || cma == 0 || cma < free / 2) {
            return List.of();
        }
        return List.of(new Finding(
                Sizes.text(cma) + " of the " + Sizes.text(free) + " free was CMA, which this allocation may not use.",
                "Make the CMA area smaller (cma= on the kernel's command line)",
                Sizes.text(cma) + " of " + Sizes.text(free) + " free memory was CMA"));
    }

    /** The parts of the memory, the largest first. If much is free, the parts are not the reason. */
    static List<Finding> fill(Oom oom) {
        if (!oom.isNode() || oom.whole().isEmpty() || oom.isAskedFor() || isConfinedToZones(oom)) {
            return List.of();
        }
        long whole = oom.whole().getAsLong();
        if (Oom.isLarge(oom.memory().getFreeBytes(), whole)) {
            return List.of();
        }
        List<Part> parts = new ArrayList<>(Part.of(oom.memory()));
        parts.add(new Part(Kind.NOT_COUNTED, Part.notCountedBytes(oom.nodeMemory(), oom.memory())));
        return parts.stream()
                .filter(part -> part.kind() != Kind.FREE && part.kind() != Kind.SLAB)
                .filter(part -> Oom.isLarge(part.bytes(), whole))
                .sorted(Comparator.comparingLong(Part::bytes).reversed())
                .map(part -> finding(oom, part, whole))
                .toList();
    }

    private static Finding finding(Oom oom, Part part, long whole) {
        String size = Sizes.text(part.bytes()) + " (" + Sizes.share(part.bytes(), whole) + " of RAM)";
        String sentence = size + " was " + part.kind().words() + swapClause(oom.nodeMemory()) + ".";
        return switch (part.kind()) {
            case ANON -> anon(oom, sentence, size, whole);
            case SHMEM ->
                new Finding(
                        sentence,
                        "Bound tmpfs and shared memory (/dev/shm, /tmp, buffers of a database)",
                        size + " of it");
            case CACHE ->
                new Finding(
                        sentence,
                        "Find what keeps files in memory (much written at once, mapped, locked)",
                        size + " of page cache could not be taken back");
            case SLAB_UNRECLAIMABLE ->
                new Finding(
                        sentence + caches(oom, " The largest caches are ", "."),
                        "Look for what fills the kernel's slab (slabtop; it may be a leak)",
                        size + " of it unreclaimable" + caches(oom, ", the largest caches ", ""));
            case PAGETABLES ->
                new Finding(
                        sentence,
                        "Use huge pages, or fewer processes that map the same memory",
                        size + " of page tables");
            case KERNEL_STACK -> new Finding(sentence, "Run fewer threads", size + " of kernel stacks");
            case HUGEPAGES ->
                new Finding(
                        sentence,
                        "Keep fewer huge pages (vm.nr_hugepages), which nothing else can use",
                        size + " in their pools, " + Sizes.text(unusedHugepages(oom)) + " of it unused");
            default ->
                new Finding(
                        size + " was in no counter of the report" + swapClause(oom.nodeMemory()) + ".",
                        "Look for who takes whole pages of the kernel (a guess: a driver, a GPU, a VM's balloon, ZFS)",
                        size + " belongs to no task and no counter");
        };
    }

    private static Finding anon(Oom oom, String sentence, String size, long whole) {
        boolean one =
                oom.largestTask().map(Task::getRssBytes).orElse(oom.victimHeld().orElse(0)) >= whole / 2;
        String tasks = oom.incident().getTasksCount() > 0 ? ", the largest " + oom.largestTasks(3) : "";
        return new Finding(
                sentence,
                one
                        ? "Bound the largest process, or give the node more memory"
                        : "Run less on the node, or give it more memory",
                size + " was anonymous memory" + tasks);
    }

    private static String swapClause(NodeMemory memory) {
        if (!memory.hasSwapTotalBytes()) {
            return "";
        }
        if (memory.getSwapTotalBytes() == 0) {
            return "; there is no swap";
        }
        return isSwapFull(memory) ? "; swap (" + Sizes.text(memory.getSwapTotalBytes()) + ") was full" : "";
    }

    private static boolean isSwapFull(NodeMemory memory) {
        return memory.hasSwapFreeBytes()
                && memory.getSwapTotalBytes() > 0
                && memory.getSwapFreeBytes() < memory.getSwapTotalBytes() / 100;
    }

    private static long unusedHugepages(Oom oom) {
        return oom.nodeMemory().getHugepagesList().stream()
                .mapToLong(pool -> pool.getFree() * pool.getSizeBytes())
                .sum();
    }

    private static String caches(Oom oom, String before, String after) {
        if (oom.incident().getSlabCachesCount() == 0) {
            return "";
        }
        return oom.incident().getSlabCachesList().stream()
                .limit(3)
                .map(cache -> cache.getName() + " " + Sizes.text(largest(cache)))
                .collect(Collectors.joining(", ", before, after));
    }

    private static long largest(SlabCache cache) {
        return cache.hasTotalBytes() ? cache.getTotalBytes() : cache.getUsedBytes();
    }

    /** The allocation asked for one page, and the report shows more: memory was freed while the kernel printed it. */
    static List<Finding> roomWhenPrinted(Oom oom) {
        List<Zone> room = oom.zones().withRoom();
        if (!oom.isNode()
                || oom.isAskedFor()
                || oom.isPageFault()
                || oom.trigger().getOrder() > 0) {
            return List.of();
        }
        long free = oom.memory().getFreeBytes();
        if (oom.nodeMemory().getZonesCount() == 0
                && oom.whole().isPresent()
                && Oom.isLarge(free, oom.whole().getAsLong())) {
            return List.of(Finding.sentence("When the report was printed, " + Sizes.text(free) + " was free."));
        }
        if (room.isEmpty()) {
            return List.of();
        }
        return List.of(Finding.sentence(
                "When the report was printed, " + Zones.names(room) + " had memory above its watermark again."));
    }

    /** The kernel had no process left to kill, or was configured to kill none. */
    static List<Finding> panic(Oom oom) {
        Outcome outcome = oom.event().getOutcome();
        if (outcome != Outcome.NO_KILLABLE_PROCESS && outcome != Outcome.PANIC) {
            return List.of();
        }
        List<Task> tasks = oom.incident().getTasksList();
        boolean allProtected = !tasks.isEmpty()
                && !oom.incident().hasTasksOmitted()
                && tasks.stream().allMatch(task -> task.hasOomScoreAdj() && task.getOomScoreAdj() == NO_ADJ);
        if (allProtected) {
            return List.of(new Finding(
                    "Every process of its table (" + tasks.size() + ") has oom_score_adj -1000.",
                    "Protect fewer processes from the OOM killer (oom_score_adj -1000)",
                    tasks.size() + " of " + tasks.size() + " in the table are protected"));
        }
        return outcome == Outcome.PANIC
                ? List.of(Finding.advice(
                        "Look at vm.panic_on_oom, or for what left no process to kill (oom_score_adj -1000, an initramfs, "
                                + "a leak in the kernel)",
                        "the kernel panicked"))
                : List.of();
    }
}
