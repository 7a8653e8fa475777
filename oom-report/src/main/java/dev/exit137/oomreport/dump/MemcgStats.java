package dev.exit137.oomreport.dump;

import static dev.exit137.oomreport.parse.Bytes.ascii;
import static dev.exit137.oomreport.parse.OomLine.ABSENT;

import dev.exit137.oomreport.parse.TextCursor;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.MemcgStat;
import dev.exit137.proto.v1.MemoryBreakdown;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * A cgroup's statistics (mem_cgroup_print_oom_meminfo, mem_cgroup_print_oom_info before 5.0). From 3.9 to 5.2 the
 * kernel prints one line for the cgroup at its limit and one for each cgroup below it; no line counts the cgroups below
 * its own:
 *
 * <pre>
 * memory: usage 20480kB, limit 20480kB, failcnt 136
 * memory+swap: usage 20480kB, limit 9007199254740988kB, failcnt 0
 * kmem: usage 0kB, limit 9007199254740988kB, failcnt 0
 * Memory cgroup stats for /a: cache:0KB rss:0KB rss_huge:0KB … unevictable:0KB
 * Memory cgroup stats for /a/b: cache:0KB rss:19800KB rss_huge:0KB … unevictable:0KB
 * </pre>
 *
 * <p>From 5.3 on the kernel prints one cgroup with all its descendants, bytes and counts, one a line; to 6.2 one record
 * has several lines. On v1 the names are v2's up to 6.4, and from 6.5 v1's own, each twice: the value with
 * {@code total_} includes the descendants.
 *
 * <pre>
 * swap: usage 0kB, limit 9007199254740988kB, failcnt 0
 * Memory cgroup stats for /a:
 * anon 16736256
 * file 0
 * </pre>
 */
final class MemcgStats {
    private static final int MAX_CGROUPS = 100;
    private static final int MAX_PATH_BYTES = 4096;
    private static final byte[] STATS = ascii("Memory cgroup stats");
    private static final byte[] FOR = ascii(" for ");
    private static final byte[] MEMORY_USAGE = ascii("memory: usage ");
    private static final byte[] MEMORY_SWAP_USAGE = ascii("memory+swap: usage ");
    private static final byte[] SWAP_USAGE = ascii("swap: usage ");
    private static final byte[] KMEM_USAGE = ascii("kmem: usage ");

    /** A report may begin within the statistics: one of these names makes certain that it does. */
    private static final Set<String> TELLING = Set.of(
            "anon",
            "file",
            "kernel_stack",
            "pagetables",
            "sec_pagetables",
            "percpu",
            "sock",
            "vmalloc",
            "shmem",
            "zswapped",
            "file_mapped",
            "file_dirty",
            "file_writeback",
            "swapcached",
            "anon_thp",
            "file_thp",
            "shmem_thp",
            "inactive_anon",
            "active_anon",
            "inactive_file",
            "active_file",
            "unevictable",
            "slab_reclaimable",
            "slab_unreclaimable",
            "slab",
            "workingset_refault_anon",
            "workingset_refault_file",
            "rss_huge",
            "mapped_file",
            "total_cache",
            "total_rss",
            "total_rss_huge",
            "total_shmem",
            "total_mapped_file",
            "total_swap",
            "total_inactive_anon",
            "total_active_anon",
            "total_inactive_file",
            "total_active_file");

    private record Cgroup(String path, NamedValues stat) {}

    private final List<Cgroup> cgroups = new ArrayList<>();
    /** For the one-line form: the sum of the first cgroup and all below it. */
    private final NamedValues sum = new NamedValues();

    private boolean sumIsWhole;
    private boolean linePerCgroup;
    private @Nullable NamedValues open;
    private long memoryUsageBytes = ABSENT;
    private long memorySwapUsageBytes = ABSENT;
    private long swapUsageBytes = ABSENT;
    private long kmemUsageBytes = ABSENT;

    /** Reads the line if it is of this block; returns whether it is. */
    boolean onLine(TextCursor line) {
        return switch (line.peek()) {
            case 'M' -> readTitle(line);
            case 'm', 's', 'k' -> readUsage(line) || readStat(line);
            default -> readStat(line);
        };
    }

    /** Ends the statistics, unless another title comes. */
    void close() {
        open = null;
    }

    /**
     * The kill-path parser reads the limits; this reads swap and kernel memory for kernels without them in the
     * statistics.
     */
    private boolean readUsage(TextCursor line) {
        if (line.skip(MEMORY_USAGE)) {
            memoryUsageBytes = first(memoryUsageBytes, line.nextSizeBytes());
        } else if (line.skip(MEMORY_SWAP_USAGE)) {
            memorySwapUsageBytes = first(memorySwapUsageBytes, line.nextSizeBytes());
        } else if (line.skip(SWAP_USAGE)) {
            swapUsageBytes = first(swapUsageBytes, line.nextSizeBytes());
        } else if (line.skip(KMEM_USAGE)) {
            kmemUsageBytes = first(kmemUsageBytes, line.nextSizeBytes());
        } else {
            return false;
        }
        return true;
    }

    private static long first(long one, long other) {
        return one < 0 ? other : one;
    }

    /** Reads from the right, because a path may hold any bytes. */
    private boolean readTitle(TextCursor line) {
        if (!line.skip(STATS)) {
            return false;
        }
        int pathStart = line.skip(FOR) ? line.position() : line.end();
        int statsStart = statsStart(line);
        NamedValues stat = new NamedValues();
        int pathEnd = line.skipSpacesBack(statsStart) - 1;
        boolean hasPath = pathEnd >= pathStart && pathEnd - pathStart <= MAX_PATH_BYTES && line.byteAt(pathEnd) == ':';
        String path = hasPath ? line.bytesText(pathStart, pathEnd) : "";
        if (cgroups.isEmpty()) {
            linePerCgroup = statsStart < line.end();
            sumIsWhole = memoryUsageBytes >= 0;
        }
        if (cgroups.size() < MAX_CGROUPS) {
            cgroups.add(new Cgroup(path, stat));
        }
        open = stat;
        if (statsStart < line.end()) {
            open = null;
            readStats(line, statsStart, stat);
        }
        return true;
    }

    /** The index of the line's first statistic, or its end. The last word may have been cut. */
    private static int statsStart(TextCursor line) {
        int word = line.wordStart(line.end());
        int first = isStat(line, word) ? word : line.end();
        for (word = line.wordStart(word); word > line.position() && isStat(line, word); word = line.wordStart(word)) {
            first = word;
        }
        return first;
    }

    private void readStats(TextCursor line, int from, NamedValues stat) {
        line.position(from);
        for (int end = line.nameEnd(); end > line.position(); end = line.nameEnd()) {
            String name = line.text(line.position(), end);
            line.position(end);
            long bytes = line.skip(':') ? line.nextSizeBytes() : ABSENT;
            stat.putFirst(name, bytes);
            sum.add(name, bytes);
            line.skipSpaces();
        }
    }

    /** Whether a {@code rss_huge:0KB} is at {@code start}. */
    private static boolean isStat(TextCursor line, int start) {
        int before = line.position();
        line.position(start);
        int nameEnd = line.nameEnd();
        line.position(nameEnd);
        boolean is = nameEnd > start && line.skip(':') && line.nextSizeBytes() >= 0 && line.atWordEnd();
        line.position(before);
        return is;
    }

    /** Reads one statistic, and the statistics of the lines that follow in the same record. */
    private boolean readStat(TextCursor line) {
        boolean any = false;
        while (line.peek() >= 'a' && line.peek() <= 'z') {
            int nameStart = line.position();
            int nameEnd = line.nameEnd();
            line.position(nameEnd);
            int digits = line.skip(' ') ? line.position() : line.end();
            long value = line.nextNumber();
            if (line.position() <= digits || !line.skipNewline()) {
                break;
            }
            String name = line.text(nameStart, nameEnd);
            NamedValues stat = open == null ? begin(name) : open;
            if (stat == null) {
                break;
            }
            stat.putFirst(name, value);
            any = true;
        }
        return any;
    }

    /** Begins statistics without a title; null where the name is not that of a statistic. */
    private @Nullable NamedValues begin(String name) {
        if (!cgroups.isEmpty() || !TELLING.contains(name)) {
            return null;
        }
        NamedValues stat = new NamedValues();
        cgroups.add(new Cgroup("", stat));
        open = stat;
        return stat;
    }

    boolean isEmpty() {
        return cgroups.isEmpty();
    }

    void addTo(Incident.Builder incident) {
        for (Cgroup cgroup : cgroups) {
            incident.addMemcgStats(
                    MemcgStat.newBuilder().setCgroup(cgroup.path()).putAllStat(cgroup.stat().values));
        }
    }

    /** Breakdown of the cgroup's memory, including all its descendants. */
    MemoryBreakdown breakdown() {
        MemoryBreakdown.Builder memory = MemoryBreakdown.newBuilder();
        if (linePerCgroup && !sumIsWhole) {
            return memory.build(); // the report begins among the lines: the sum lacks the lines before
        }
        NamedValues stat = linePerCgroup ? sum : cgroups.getFirst().stat();
        stat.get("anon", "total_rss", "rss").ifPresent(memory::setAnonBytes);
        stat.get("file", "total_cache", "cache").ifPresent(memory::setFileBytes);
        stat.get("total_shmem", "shmem").ifPresent(memory::setShmemBytes);
        set(stat.get("kernel").orElse(kmemUsageBytes), memory::setKernelBytes);
        stat.get("slab").ifPresent(memory::setSlabBytes);
        stat.get("slab_unreclaimable").ifPresent(memory::setSlabUnreclaimableBytes);
        stat.get("sock").ifPresent(memory::setSockBytes);
        stat.get("pagetables").ifPresent(memory::setPagetablesBytes);
        stat.get("kernel_stack").ifPresent(memory::setKernelStackBytes);
        stat.get("hugetlb").ifPresent(memory::setHugepagesBytes);
        set(stat.get("total_swap", "swap").orElse(swapBytes()), memory::setSwapBytes);
        return memory.build();
    }

    /** v2 prints the swap; v1 prints memory and swap together, so the difference is the swap. */
    private long swapBytes() {
        return swapUsageBytes >= 0 || memoryUsageBytes < 0 || memorySwapUsageBytes < 0
                ? swapUsageBytes
                : Math.max(0, memorySwapUsageBytes - memoryUsageBytes);
    }

    private static void set(long bytes, LongConsumer setter) {
        if (bytes >= 0) {
            setter.accept(bytes);
        }
    }
}
