package dev.exit137.oomreport.dump;

import static dev.exit137.oomreport.parse.OomLine.ABSENT;

import dev.exit137.proto.v1.MemoryBreakdown;
import java.util.OptionalLong;

/** Where the node's memory was. */
final class NodeBreakdown {
  private static final String[] LRU_LISTS = {"active_anon", "inactive_anon", "active_file", "inactive_file"};

  private NodeBreakdown() {}

  static MemoryBreakdown of(MemInfo memInfo, FreeAreas zones, PageSize pageSize) {
    MemoryBreakdown.Builder memory = MemoryBreakdown.newBuilder();
    pageSize.ifBytes(anonPages(memInfo), memory::setAnonBytes);
    pageSize.ifBytes(orAbsent(memInfo.pagecachePages()), memory::setFileBytes);
    pageSize.ifBytes(orAbsent(memInfo.counter("shmem")), memory::setShmemBytes);
    pageSize.ifBytes(slabPages(memInfo), memory::setSlabBytes);
    pageSize.ifBytes(orAbsent(memInfo.counter("slab_unreclaimable")), memory::setSlabUnreclaimableBytes);
    pageSize.ifBytes(orAbsent(memInfo.counter("pagetables")), memory::setPagetablesBytes);
    pageSize.ifBytes(orAbsent(memInfo.counter("free")), memory::setFreeBytes);
    memInfo.swapUsedBytes().ifPresent(memory::setSwapBytes);
    if (hasWholeNode(memInfo, zones, pageSize)) {
      zones.sumBytes("kernel_stack").ifPresent(memory::setKernelStackBytes);
      zones.hugepagesBytes().ifPresent(memory::setHugepagesBytes);
    }
    return memory.build();
  }

  /** The lists of anonymous pages hold shared memory, too. */
  private static long anonPages(MemInfo memInfo) {
    OptionalLong active = memInfo.counter("active_anon", "Active_anon");
    OptionalLong inactive = memInfo.counter("inactive_anon");
    return active.isEmpty() || inactive.isEmpty()
        ? ABSENT
        : Math.max(0, active.getAsLong() + inactive.getAsLong() - memInfo.counter("shmem").orElse(0));
  }

  private static long slabPages(MemInfo memInfo) {
    OptionalLong reclaimable = memInfo.counter("slab_reclaimable");
    OptionalLong unreclaimable = memInfo.counter("slab_unreclaimable");
    return reclaimable.isPresent() && unreclaimable.isPresent()
        ? reclaimable.getAsLong() + unreclaimable.getAsLong()
        : orAbsent(memInfo.counter("slab")); // to 2.6.31
  }

  /**
   * Nodes and zones that the allocation may not use are left out of the report, as are those that were cut; then what
   * they have is less than the node's. The two are not read at the same moment.
   */
  private static boolean hasWholeNode(MemInfo memInfo, FreeAreas zones, PageSize pageSize) {
    for (String list : LRU_LISTS) {
      long bytes = pageSize.bytes(orAbsent(memInfo.counter(list)));
      if (bytes < 0 || zones.sumBytes(list).orElse(0) < bytes - bytes / 16 - pageSize.bytes(64)) {
        return false;
      }
    }
    return true;
  }

  private static long orAbsent(OptionalLong value) {
    return value.orElse(ABSENT);
  }
}
