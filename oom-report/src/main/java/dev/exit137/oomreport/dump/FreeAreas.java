package dev.exit137.oomreport.dump;

import static dev.exit137.oomreport.parse.Bytes.ascii;
import static dev.exit137.oomreport.parse.OomLine.ABSENT;

import dev.exit137.oomreport.parse.TextCursor;
import dev.exit137.proto.v1.HugepagePool;
import dev.exit137.proto.v1.NodeMemory;
import dev.exit137.proto.v1.NumaNode;
import dev.exit137.proto.v1.Zone;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * NUMA nodes, their zones, free blocks and huge pages (show_free_areas). Kernels without NUMA print no {@code Node 0}
 * before a zone; kernels before 4.8 print no lines of nodes.
 *
 * <pre>
 * Node 0 active_anon:404kB inactive_anon:508kB … isolated(anon):116kB … shmem_thp: 0kB … all_unreclaimable? no
 * Node 0 DMA free:15676kB min:60kB low:72kB high:88kB … present:15272kB … pages_scanned:0 all_unreclaimable? yes
 * Normal free:29116kB boost:18432kB min:26624kB … reserved_highatomic:0KB … managed:1011980kB … free_cma:0kB
 * lowmem_reserve[]: 0 3512 16137 16137
 * Node 0 DMA: 1*4kB (U) 0*8kB 1*16kB (U) … 3*4096kB (M) = 15360kB
 * Node 0 hugepages_total=0 hugepages_free=0 hugepages_surp=0 hugepages_size=2048kB
 * </pre>
 */
final class FreeAreas {
    private static final int MAX_PLACES = 1024;
    private static final int MAX_SIZES = 64;
    private static final int MAX_ZONES_OF_RESERVE = 16;
    private static final int MAX_ORDERS = 64;
    private static final Set<String> ZONE_NAMES = Set.of("DMA", "DMA32", "Normal", "HighMem", "Movable", "Device");

    private static final byte[] NODE = ascii("Node ");
    private static final byte[] FREE = ascii(" free:");
    private static final byte[] PER_CPU = ascii(" per-cpu:");
    private static final byte[] EMPTY = ascii(": empty");
    private static final byte[] COLON = ascii(": ");
    private static final byte[] LOWMEM_RESERVE = ascii("lowmem_reserve[]:");
    private static final byte[] ALL_UNRECLAIMABLE = ascii("all_unreclaimable? ");
    private static final byte[] YES = ascii("yes");
    private static final byte[] NO = ascii("no");
    private static final byte[] HUGEPAGES_TOTAL = ascii("hugepages_total=");
    private static final byte[] HUGEPAGES_FREE = ascii("hugepages_free=");
    private static final byte[] HUGEPAGES_SURP = ascii("hugepages_surp=");
    private static final byte[] HUGEPAGES_SIZE = ascii("hugepages_size=");

    private final Map<Long, NumaNode.Builder> nodes = new LinkedHashMap<>();
    private final Map<String, Zone.Builder> zones = new LinkedHashMap<>();
    private final Map<String, HugepagePool> pools = new LinkedHashMap<>();
    /** The zone that was printed last; its lowmem_reserve comes next. */
    private Zone.@Nullable Builder lastZone;

    private long pageBytes = ABSENT;

    /** Reads the line if it is one of these; returns whether it is. */
    boolean onLine(TextCursor line) {
        if (line.skip(LOWMEM_RESERVE)) {
            readLowmemReserve(line, lastZone);
            lastZone = null;
            return true;
        }
        long node = ABSENT;
        if (line.skip(NODE)) {
            node = line.nextNumber();
            if (node < 0 || node > Integer.MAX_VALUE || !line.skip(' ')) {
                return false;
            }
            line.skipSpaces();
        }
        if (line.at(line.position(), HUGEPAGES_TOTAL)) {
            return readHugepages(line, node);
        }
        int nameStart = line.position();
        int nameEnd = line.nameEnd();
        if (nameEnd == nameStart || nameEnd == line.end() || (node < 0 && !mayBeZone(line))) {
            return false;
        }
        if (line.byteAt(nameEnd) == ':' && !line.at(nameEnd, COLON)) {
            return node >= 0 && readNode(line, node);
        }
        String name = line.text(nameStart, nameEnd);
        if (node < 0 && !ZONE_NAMES.contains(name)) {
            return false;
        }
        line.position(nameEnd);
        if (line.rest(PER_CPU) || line.rest(EMPTY)) {
            return true;
        }
        if (line.skip(COLON)) {
            return readFreeBlocks(line, node, name);
        }
        boolean isZone = line.skip(FREE) && line.nextSizeBytes() >= 0;
        line.position(nameEnd);
        return isZone && readZone(line, node, name);
    }

    private static boolean mayBeZone(TextCursor line) {
        return switch (line.peek()) {
            case 'D', 'N', 'H', 'M' -> true;
            default -> false;
        };
    }

    private boolean readNode(TextCursor line, long number) {
        NumaNode.Builder node = NumaNode.newBuilder().setNumaNode((int) number);
        for (String name = nameOfSize(line); !name.isEmpty(); name = nameOfSize(line)) {
            long bytes = line.nextSizeBytes();
            if (bytes >= 0 && node.getSizesCount() < MAX_SIZES) {
                node.putSizes(name, bytes);
            }
        }
        if (line.skip(ALL_UNRECLAIMABLE) && (line.at(line.position(), YES) || line.at(line.position(), NO))) {
            node.setAllUnreclaimable(line.peek() == 'y');
        }
        if (node.getSizesCount() > 0 && nodes.size() < MAX_PLACES) {
            nodes.putIfAbsent(number, node);
        }
        return node.getSizesCount() > 0;
    }

    private boolean readZone(TextCursor line, long node, String zoneName) {
        Zone.Builder zone = zone(node, zoneName);
        if (zone.hasFreeBytes()) {
            return true;
        }
        for (String name = nameOfSize(line); !name.isEmpty(); name = nameOfSize(line)) {
            long bytes = line.nextSizeBytes();
            if (bytes >= 0) {
                setSize(zone, name, bytes);
            }
        }
        lastZone = zone;
        return true;
    }

    private static void setSize(Zone.Builder zone, String name, long bytes) {
        switch (name) {
            case "free" -> zone.setFreeBytes(bytes);
            case "min" -> zone.setMinBytes(bytes);
            case "low" -> zone.setLowBytes(bytes);
            case "high" -> zone.setHighBytes(bytes);
            case "present" -> zone.setPresentBytes(bytes);
            case "managed" -> zone.setManagedBytes(bytes);
            default -> {
                if (zone.getSizesCount() < MAX_SIZES) {
                    zone.putSizes(name, bytes);
                }
            }
        }
    }

    private Zone.Builder zone(long node, String name) {
        String key = node + name;
        Zone.Builder zone = zones.get(key);
        if (zone == null) {
            zone = Zone.newBuilder().setName(name);
            if (node >= 0) {
                zone.setNumaNode((int) node);
            }
            if (zones.size() < MAX_PLACES) {
                zones.put(key, zone);
            }
        }
        return zone;
    }

    /**
     * Reads the name before a colon, and skips the spaces after it ({@code shmem_thp: 0kB}); empty where there is none.
     * A number that is no size ({@code pages_scanned:0}) has been skipped up to its digits.
     */
    private static String nameOfSize(TextCursor line) {
        line.skipSpaces();
        int start = line.position();
        int end = line.nameEnd();
        line.position(end);
        if (end == start || !line.skip(':')) {
            line.position(start);
            return "";
        }
        line.skipSpaces();
        return line.text(start, end);
    }

    private static void readLowmemReserve(TextCursor line, Zone.@Nullable Builder zone) {
        if (zone == null || zone.getLowmemReservePagesCount() > 0) {
            return;
        }
        line.skipSpaces();
        for (long pages = line.nextNumber(); pages >= 0; pages = line.nextNumber()) {
            if (zone.getLowmemReservePagesCount() == MAX_ZONES_OF_RESERVE) {
                return;
            }
            zone.addLowmemReservePages(pages);
            line.skipSpaces();
        }
    }

    /** A block of one order is twice as large as a block of the order before; blocks of order 0 are pages. */
    private boolean readFreeBlocks(TextCursor line, long node, String zoneName) {
        long count = line.nextNumber();
        if (count < 0 || !line.skip('*')) {
            return false;
        }
        Zone.Builder zone = zone(node, zoneName);
        boolean first = zone.getFreeBlocksCount() == 0;
        long expectedBytes = ABSENT;
        for (int order = 0; order < MAX_ORDERS; order++) {
            long bytes = line.nextSizeBytes();
            if (order == 0 ? !PageSize.isOne(bytes) : bytes != expectedBytes) {
                return true;
            }
            if (pageBytes < 0) {
                pageBytes = bytes;
            }
            if (first) {
                zone.addFreeBlocks(count);
            }
            expectedBytes = 2 * bytes;
            skipMigrateTypes(line);
            count = line.nextNumber();
            if (count < 0 || !line.skip('*')) {
                return true;
            }
        }
        return true;
    }

    /** {@code (UME)}: the migrate types of the free blocks, from 3.8 on. */
    private static void skipMigrateTypes(TextCursor line) {
        line.skipSpaces();
        if (line.peek() == '(') {
            line.position(line.nameEnd());
            line.skipSpaces();
        }
    }

    private boolean readHugepages(TextCursor line, long node) {
        long total = count(line, HUGEPAGES_TOTAL);
        long free = count(line, HUGEPAGES_FREE);
        long surplus = count(line, HUGEPAGES_SURP);
        long sizeBytes = line.skip(HUGEPAGES_SIZE) ? line.nextSizeBytes() : ABSENT;
        if (total < 0 || free < 0 || surplus < 0 || sizeBytes < 0) {
            return false;
        }
        HugepagePool.Builder pool = HugepagePool.newBuilder()
                .setTotal(total)
                .setFree(free)
                .setSurplus(surplus)
                .setSizeBytes(sizeBytes);
        if (node >= 0) {
            pool.setNumaNode((int) node);
        }
        if (pools.size() < MAX_PLACES) {
            pools.putIfAbsent(node + "/" + sizeBytes, pool.build());
        }
        return true;
    }

    private static long count(TextCursor line, byte[] name) {
        long count = line.skip(name) ? line.nextNumber() : ABSENT;
        line.skipSpaces();
        return count;
    }

    /** The page size, from the free blocks of order 0. */
    OptionalLong pageBytes() {
        return pageBytes < 0 ? OptionalLong.empty() : OptionalLong.of(pageBytes);
    }

    boolean isEmpty() {
        return nodes.isEmpty() && zones.isEmpty() && pools.isEmpty();
    }

    /** The sum of a size over the nodes, or over the zones where no nodes were printed; empty where none has it. */
    OptionalLong sumBytes(String name) {
        return Stream.concat(
                        nodes.values().stream().map(NumaNode.Builder::getSizesMap),
                        nodes.isEmpty() ? zones.values().stream().map(Zone.Builder::getSizesMap) : Stream.empty())
                .filter(sizes -> sizes.containsKey(name))
                .mapToLong(sizes -> sizes.get(name))
                .reduce(NamedValues::sum);
    }

    /** The memory of all pools of huge pages, in use or not; empty where none was printed. */
    OptionalLong hugepagesBytes() {
        return pools.values().stream()
                .mapToLong(pool -> product(pool.getTotal(), pool.getSizeBytes()))
                .reduce(NamedValues::sum);
    }

    private static long product(long count, long bytes) {
        return Math.multiplyHigh(count, bytes) == 0 && count * bytes >= 0 ? count * bytes : Long.MAX_VALUE;
    }

    void addTo(NodeMemory.Builder memory) {
        nodes.values().forEach(memory::addNumaNodes);
        zones.values().forEach(memory::addZones);
        pools.values().forEach(memory::addHugepages);
    }
}
