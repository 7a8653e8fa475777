package dev.exit137.oomreport.dump;

import static dev.exit137.oomreport.parse.OomLine.ABSENT;

import dev.exit137.proto.v1.MemoryBreakdown;
import java.util.OptionalLong;

/** Breakdown of the node's memory. */
final class NodeBreakdown {
    private static final String[] LRU_LISTS = {"active_anon", "inactive_anon", "active_file", "inactive_file"};

    private NodeBreakdown() {}

    static MemoryBreakdown of(MemInfo memInfo, FreeAreas zones, PageSize pageSize) {
        MemoryBreakdown.Builder memory = MemoryBreakdown.newBuilder();
        pageSize.ifBytes(anonPages(memInfo), memory::setAnonBytes);
        pageSize.ifBytes(memInfo.pagecachePages().orElse(ABSENT), memory::setFileBytes);
        pageSize.ifBytes(pages(memInfo, "shmem"), memory::setShmemBytes);
        pageSize.ifBytes(slabPages(memInfo), memory::setSlabBytes);
        pageSize.ifBytes(pages(memInfo, "slab_unreclaimable"), memory::setSlabUnreclaimableBytes);
        pageSize.ifBytes(pages(memInfo, "pagetables"), memory::setPagetablesBytes);
        pageSize.ifBytes(pages(memInfo, "free"), memory::setFreeBytes);
        memInfo.swapUsedBytes().ifPresent(memory::setSwapBytes);
        if (hasWholeNode(memInfo, zones, pageSize)) {
            zones.sumBytes("kernel_stack").ifPresent(memory::setKernelStackBytes);
            zones.hugepagesBytes().ifPresent(memory::setHugepagesBytes);
        }
        return memory.build();
    }

    /** The lists of anonymous pages also hold shared memory. */
    private static long anonPages(MemInfo memInfo) {
        OptionalLong active = memInfo.counter("active_anon", "Active_anon");
        OptionalLong inactive = memInfo.counter("inactive_anon");
        return active.isEmpty() || inactive.isEmpty()
                ? ABSENT
                : Math.max(
                        0,
                        active.getAsLong()
                                + inactive.getAsLong()
                                - memInfo.counter("shmem").orElse(0));
    }

    private static long slabPages(MemInfo memInfo) {
        OptionalLong reclaimable = memInfo.counter("slab_reclaimable");
        OptionalLong unreclaimable = memInfo.counter("slab_unreclaimable");
        return reclaimable.isPresent() && unreclaimable.isPresent()
                ? reclaimable.getAsLong() + unreclaimable.getAsLong()
                : pages(memInfo, "slab"); // to 2.6.31
    }

    /**
     * Whether the zones are those of the whole node. The report leaves out nodes and zones that the allocation may not
     * use, and may be cut; then its zones have less memory than the node. The kernel reads the counters of the node and
     * of the zones at different moments, so small differences are allowed.
     */
    private static boolean hasWholeNode(MemInfo memInfo, FreeAreas zones, PageSize pageSize) {
        for (String list : LRU_LISTS) {
            long bytes = pageSize.bytes(pages(memInfo, list));
            if (bytes < 0 || zones.sumBytes(list).orElse(0) < bytes - bytes / 16 - pageSize.bytes(64)) {
                return false;
            }
        }
        return true;
    }

    private static long pages(MemInfo memInfo, String counter) {
        return memInfo.counter(counter).orElse(ABSENT);
    }
}
