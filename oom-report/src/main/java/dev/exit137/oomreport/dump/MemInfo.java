package dev.exit137.oomreport.dump;

import static dev.exit137.oomreport.parse.Bytes.ascii;
import static dev.exit137.oomreport.parse.OomLine.ABSENT;

import dev.exit137.oomreport.parse.Bytes;
import dev.exit137.oomreport.parse.TextCursor;
import dev.exit137.proto.v1.NodeMemory;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;

/**
 * The node's counters and totals (show_free_areas, show_swap_cache_info, show_mem). The counters are one record of
 * several lines, so a log may have them in one line.
 *
 * <pre>
 * active_anon:101 inactive_anon:127 isolated_anon:29                            (2.6.32)
 *  slab_reclaimable:13680 slab_unreclaimable:4350
 *  free:7279 free_pcp:184 free_cma:1094
 * Active_anon:31 active_file:54 inactive_anon:12                                (2.6.28)
 * Active:31 inactive:491089 dirty:0 writeback:23480 unstable:0
 *  free:3005 slab:7514 mapped:1 pagetables:1063 bounce:0
 * 2991 total pagecache pages
 * 166 pages in swap cache                                                       (491223 pages swap cached)
 * Swap cache stats: add 5512946, delete 5510992, find 2145/4494                 (Swap cache: add …)
 * Free swap  = 93424kB
 * Total swap = 102396kB
 * 262144 pages RAM                                                              (515887 pages of RAM)
 * 0 pages HighMem/MovableOnly                                                   (0 pages of HIGHMEM)
 * 9147 pages reserved                                                           (8379 reserved pages)
 * 4096 pages cma reserved
 * 0 pages hwpoisoned
 * </pre>
 */
final class MemInfo {
    private static final byte[] FREE_SWAP = ascii("Free swap");
    private static final byte[] TOTAL_SWAP = ascii("Total swap");
    private static final byte[] SWAP_CACHE_STATS = ascii("Swap cache stats: add ");
    private static final byte[] SWAP_CACHE = ascii("Swap cache: add ");
    private static final byte[] FUNCTION = ascii(" func:");
    private static final int MAX_TOTAL_NAME_BYTES = 40;

    /** First counter of each line of counters; a line of a newer kernel counts as one when it comes among others. */
    private static final Set<String> FIRST_COUNTERS = Set.of(
            "active_anon",
            "active_file",
            "unevictable",
            "slab_reclaimable",
            "mapped",
            "sec_pagetables",
            "kernel_misc_reclaimable",
            "free",
            "Active_anon",
            "inactive_file",
            "Active");

    /** Names of the totals: one name for each wording of the kernel versions. */
    private static final Map<String, String> TOTALS = Map.ofEntries(
            Map.entry("total pagecache pages", "pagecache"),
            Map.entry("pages in swap cache", "swap cache"),
            Map.entry("pages swap cached", "swap cache"),
            Map.entry("pages RAM", "RAM"),
            Map.entry("pages of RAM", "RAM"),
            Map.entry("pages HighMem/MovableOnly", "HighMem"),
            Map.entry("pages HighMem", "HighMem"),
            Map.entry("pages of HIGHMEM", "HighMem"),
            Map.entry("pages reserved", "reserved"),
            Map.entry("reserved pages", "reserved"),
            Map.entry("pages cma reserved", "cma"),
            Map.entry("pages hwpoisoned", "hwpoisoned"),
            Map.entry("pages shared", "shared"),
            Map.entry("pages non-shared", "non-shared"),
            Map.entry("free pages", "free"),
            Map.entry("slab pages", "slab"),
            Map.entry("pages of slab", "slab"),
            Map.entry("pages in pagetable cache", "quicklists"));

    private final NamedValues counters = new NamedValues();
    private final NamedValues totals = new NamedValues();
    private boolean amongCounters;
    private long swapTotalBytes = ABSENT;
    private long swapFreeBytes = ABSENT;

    /** Reads the line if it is one of these; returns whether it is. */
    boolean onLine(TextCursor line) {
        if (Bytes.isDigit(line.peek())) {
            return readTotal(line);
        }
        return readSwap(line) || readCounters(line);
    }

    private boolean readCounters(TextCursor line) {
        int start = line.position();
        int nameEnd = line.nameEnd();
        if (nameEnd == start
                || nameEnd + 1 >= line.end()
                || line.byteAt(nameEnd) != ':'
                || !Bytes.isDigit(line.byteAt(nameEnd + 1))
                || (!amongCounters && !FIRST_COUNTERS.contains(line.text(start, nameEnd)))) {
            return false;
        }
        boolean any = false;
        for (int end = nameEnd; end > line.position(); end = line.nameEnd()) {
            String name = line.text(line.position(), end);
            line.position(end);
            long pages = line.skip(':') ? line.nextNumber() : ABSENT;
            if (!line.skipNewline() && !line.atWordEnd()) {
                break; // other text is mixed in
            }
            line.skipSpaces();
            counters.putFirst(name, pages);
            any |= pages >= 0;
        }
        amongCounters |= any;
        return any;
    }

    /** Also {@code 61.8 MiB 12345 mm/slub.c:2307 func:alloc_slab_page}, of kernels that count allocations (6.10). */
    private boolean readTotal(TextCursor line) {
        int start = line.position();
        long pages = line.nextNumber();
        line.skipSpaces();
        int end = line.skipSpacesBack(line.end());
        if (end - line.position() <= MAX_TOTAL_NAME_BYTES) {
            String name = TOTALS.get(line.text(line.position(), end));
            if (name != null) {
                totals.putFirst(name, pages);
                amongCounters = false;
                return true;
            }
        }
        line.position(start);
        return line.contains(FUNCTION);
    }

    private boolean readSwap(TextCursor line) {
        if (line.skip(FREE_SWAP)) {
            long bytes = swapBytes(line);
            swapFreeBytes = swapFreeBytes < 0 ? bytes : swapFreeBytes;
            return bytes >= 0;
        }
        if (line.skip(TOTAL_SWAP)) {
            long bytes = swapBytes(line);
            swapTotalBytes = swapTotalBytes < 0 ? bytes : swapTotalBytes;
            return bytes >= 0;
        }
        return line.skip(SWAP_CACHE_STATS) || line.skip(SWAP_CACHE);
    }

    /** {@code = 93424kB}; {@code : 93424kB} on some old ones. */
    private static long swapBytes(TextCursor line) {
        line.skipSpaces();
        if (!line.skip('=') && !line.skip(':')) {
            return ABSENT;
        }
        line.skipSpaces();
        return line.nextSizeBytes();
    }

    boolean isEmpty() {
        return counters.isEmpty() && totals.isEmpty() && swapTotalBytes < 0 && swapFreeBytes < 0;
    }

    /** A counter of the node, in pages: the first of these names that has a value. */
    OptionalLong counter(String... names) {
        return counters.get(names);
    }

    OptionalLong pagecachePages() {
        return totals.get("pagecache");
    }

    OptionalLong swapUsedBytes() {
        return swapTotalBytes < 0 || swapFreeBytes < 0 || swapFreeBytes > swapTotalBytes
                ? OptionalLong.empty()
                : OptionalLong.of(swapTotalBytes - swapFreeBytes);
    }

    void addTo(NodeMemory.Builder memory, PageSize pageSize) {
        counters.values.forEach((name, pages) -> pageSize.ifBytes(pages, bytes -> memory.putCounters(name, bytes)));
        pageSize.ifBytes(total("pagecache"), memory::setPagecacheBytes);
        pageSize.ifBytes(total("swap cache"), memory::setSwapCacheBytes);
        pageSize.ifBytes(total("RAM"), memory::setRamBytes);
        pageSize.ifBytes(total("HighMem"), memory::setHighmemBytes);
        pageSize.ifBytes(total("reserved"), memory::setReservedBytes);
        pageSize.ifBytes(total("cma"), memory::setCmaBytes);
        pageSize.ifBytes(total("hwpoisoned"), memory::setHwpoisonedBytes);
        if (swapTotalBytes >= 0) {
            memory.setSwapTotalBytes(swapTotalBytes);
        }
        if (swapFreeBytes >= 0) {
            memory.setSwapFreeBytes(swapFreeBytes);
        }
    }

    private long total(String name) {
        return totals.get(name).orElse(ABSENT);
    }
}
