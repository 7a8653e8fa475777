package dev.exit137.oomreport.explain;

import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.MemoryBreakdown;
import dev.exit137.proto.v1.NodeMemory;
import dev.exit137.proto.v1.OomKillEventOrBuilder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * A part of the memory at the OOM; parts of one OOM do not overlap.
 *
 * @param kind the kind of memory
 * @param bytes its size
 */
public record Part(Kind kind, long bytes) {
    /** Kinds of memory. */
    public enum Kind {
        ANON("anonymous memory"),
        SHMEM("tmpfs and shared memory"),
        CACHE("page cache"),
        SLAB("slab"),
        SLAB_UNRECLAIMABLE("unreclaimable slab"),
        PAGETABLES("page tables"),
        KERNEL_STACK("kernel stacks"),
        SOCK("socket buffers"),
        KERNEL("other kernel memory"),
        HUGEPAGES("huge pages"),
        FREE("free"),
        NOT_COUNTED("in no counter");

        private final String words;

        Kind(String words) {
            this.words = words;
        }

        /** The name of the kind for a reader. */
        public String words() {
            return words;
        }
    }

    // Counters of Mem-Info that are in none of the parts above.
    private static final List<String> OTHER_COUNTERS = List.of(
            "isolated_anon", "isolated_file", "free_pcp", "bounce", "sec_pagetables", "kernel_misc_reclaimable");
    // Without these counters, the rest would also contain parts that the report does not show.
    private static final List<String> NEEDED_COUNTERS =
            List.of("active_anon", "active_file", "slab_unreclaimable", "free");

    /** The parts of a cgroup's or a node's memory that the report shows, in the order of {@link Kind}. */
    public static List<Part> of(MemoryBreakdown memory) {
        List<Part> parts = new ArrayList<>();
        add(parts, Kind.ANON, memory.hasAnonBytes(), memory.getAnonBytes());
        add(parts, Kind.SHMEM, memory.hasShmemBytes(), memory.getShmemBytes());
        add(parts, Kind.CACHE, memory.hasFileBytes(), memory.getFileBytes() - memory.getShmemBytes());
        long reclaimable = memory.getSlabBytes() - memory.getSlabUnreclaimableBytes();
        add(parts, Kind.SLAB, memory.hasSlabBytes(), reclaimable);
        add(parts, Kind.SLAB_UNRECLAIMABLE, memory.hasSlabUnreclaimableBytes(), memory.getSlabUnreclaimableBytes());
        add(parts, Kind.PAGETABLES, memory.hasPagetablesBytes(), memory.getPagetablesBytes());
        add(parts, Kind.KERNEL_STACK, memory.hasKernelStackBytes(), memory.getKernelStackBytes());
        add(parts, Kind.SOCK, memory.hasSockBytes(), memory.getSockBytes());
        long kernel = memory.getKernelBytes()
                - memory.getSlabBytes()
                - memory.getPagetablesBytes()
                - memory.getKernelStackBytes();
        add(parts, Kind.KERNEL, memory.hasKernelBytes(), kernel);
        add(parts, Kind.HUGEPAGES, memory.hasHugepagesBytes(), memory.getHugepagesBytes());
        add(parts, Kind.FREE, memory.hasFreeBytes(), memory.getFreeBytes());
        return parts;
    }

    /**
     * The total that the parts belong to: a cgroup's usage (else its limit), or the node's RAM that processes and the
     * kernel can have. Empty where the report does not have it.
     */
    public static OptionalLong whole(OomKillEventOrBuilder event) {
        Limit limit = event.getIncident().getLimit();
        NodeMemory node = event.getIncident().getNodeMemory();
        long bytes = switch (event.getScope()) {
            case MEMCG -> limit.getUsageBytes() > 0 ? limit.getUsageBytes() : limit.getLimitBytes();
            case GLOBAL, CPUSET, MEMORY_POLICY -> node.getRamBytes() - node.getReservedBytes();
            default -> 0;
        };
        return bytes > 0 && Sizes.isLimit(bytes) ? OptionalLong.of(bytes) : OptionalLong.empty();
    }

    /**
     * RAM of a node that is in no counter of its report: vmalloc, drivers' pages and other users of whole pages; 0 where
     * the report does not have enough counters for it.
     */
    public static long notCountedBytes(NodeMemory node, MemoryBreakdown memory) {
        Map<String, Long> counters = node.getCountersMap();
        if (!node.hasRamBytes() || !counters.keySet().containsAll(NEEDED_COUNTERS)) {
            return 0;
        }
        long counted = 0;
        for (Map.Entry<String, Long> counter : counters.entrySet()) {
            boolean isList =
                    counter.getKey().startsWith("active_") || counter.getKey().startsWith("inactive_");
            if (isList || counter.getKey().equals("unevictable") || OTHER_COUNTERS.contains(counter.getKey())) {
                counted += counter.getValue();
            }
        }
        counted += memory.getSlabBytes()
                + memory.getPagetablesBytes()
                + memory.getKernelStackBytes()
                + memory.getHugepagesBytes()
                + memory.getFreeBytes();
        return Math.max(0, node.getRamBytes() - node.getReservedBytes() - counted);
    }

    private static void add(List<Part> parts, Kind kind, boolean known, long bytes) {
        if (known) {
            parts.add(new Part(kind, Math.max(0, bytes)));
        }
    }
}
