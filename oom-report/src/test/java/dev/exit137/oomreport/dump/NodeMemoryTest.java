package dev.exit137.oomreport.dump;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.HugepagePool;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.MemoryBreakdown;
import dev.exit137.proto.v1.NodeMemory;
import dev.exit137.proto.v1.NumaNode;
import dev.exit137.proto.v1.SlabCache;
import dev.exit137.proto.v1.Victim;
import dev.exit137.proto.v1.Zone;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class NodeMemoryTest {
    private static final String[] LINUX_6_9 = {
        "Mem-Info:",
        "active_anon:100 inactive_anon:1000 isolated_anon:0",
        " active_file:20 inactive_file:30 isolated_file:0",
        " unevictable:0 dirty:0 writeback:0",
        " slab_reclaimable:10 slab_unreclaimable:40",
        " mapped:7 shmem:50 pagetables:60",
        " sec_pagetables:0 bounce:0",
        " kernel_misc_reclaimable:0",
        " free:70 free_pcp:2 free_cma:0",
        "Node 0 active_anon:400kB inactive_anon:4000kB active_file:80kB inactive_file:120kB unevictable:0kB "
                + "isolated(anon):0kB shmem_thp: 2048kB kernel_stack:576kB pagetables:240kB sec_pagetables:0kB "
                + "all_unreclaimable? yes",
        "Node 0 DMA free:80kB boost:0kB min:10kB low:20kB high:30kB reserved_highatomic:4KB active_anon:0kB "
                + "present:15992kB managed:15360kB free_cma:0kB",
        "lowmem_reserve[]: 0 1971 1971",
        "Node 0 Normal free:200kB min:956kB low:1192kB high:1428kB present:649876kB managed:57332kB",
        "lowmem_reserve[]: 0 0 0",
        "Node 0 DMA: 1*4kB (U) 0*8kB 1*16kB (UME) 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB 0*2048kB 0*4096kB = 20kB",
        "Node 0 Normal: 2*4kB 1*8kB = 16kB",
        "Node 0 hugepages_total=3 hugepages_free=1 hugepages_surp=0 hugepages_size=2048kB",
        "80 total pagecache pages",
        "3 pages in swap cache",
        "Free swap  = 1000kB",
        "Total swap = 3000kB",
        "166467 pages RAM",
        "0 pages HighMem/MovableOnly",
        "148294 pages reserved",
        "4096 pages cma reserved",
        "1 pages hwpoisoned",
    };
    private static final MemoryBreakdown OF_6_9 = MemoryBreakdown.newBuilder()
            .setAnonBytes(1050 * 4096)
            .setFileBytes(80 * 4096)
            .setShmemBytes(50 * 4096)
            .setSlabBytes(50 * 4096)
            .setSlabUnreclaimableBytes(40 * 4096)
            .setPagetablesBytes(60 * 4096)
            .setKernelStackBytes(576 << 10)
            .setSwapBytes(2000 << 10)
            .setHugepagesBytes(6144 << 10)
            .setFreeBytes(70 * 4096)
            .build();

    @Test
    void theNodesMemoryIsReadAsItIsPrinted() {
        Incident incident = Reports.read(LINUX_6_9);
        assertThat(incident.getMemory()).isEqualTo(OF_6_9);
        assertThat(incident.getPageSizeBytes()).isEqualTo(4096);
        assertThat(incident.getPageSizeAssumed()).isFalse();
        NodeMemory node = incident.getNodeMemory();
        assertThat(node.getCountersMap())
                .hasSize(20)
                .containsEntry("inactive_anon", 1000L * 4096)
                .containsEntry("free_pcp", 2L * 4096);
        assertThat(node.getRamBytes()).isEqualTo(166467L * 4096);
        assertThat(node.getHighmemBytes()).isZero();
        assertThat(node.getReservedBytes()).isEqualTo(148294L * 4096);
        assertThat(node.getCmaBytes()).isEqualTo(4096L * 4096);
        assertThat(node.getHwpoisonedBytes()).isEqualTo(4096);
        assertThat(node.getSwapCacheBytes()).isEqualTo(3 * 4096);
        assertThat(node.getSwapFreeBytes()).isEqualTo(1000 << 10);
        assertThat(node.getNumaNodesList())
                .containsExactly(NumaNode.newBuilder()
                        .setAllUnreclaimable(true)
                        .putAllSizes(Map.of(
                                "active_anon",
                                400L << 10,
                                "inactive_anon",
                                4000L << 10,
                                "active_file",
                                80L << 10,
                                "inactive_file",
                                120L << 10,
                                "unevictable",
                                0L,
                                "isolated(anon)",
                                0L,
                                "shmem_thp",
                                2048L << 10,
                                "kernel_stack",
                                576L << 10,
                                "pagetables",
                                240L << 10,
                                "sec_pagetables",
                                0L))
                        .build());
        assertThat(node.getZonesList())
                .containsExactly(
                        Zone.newBuilder()
                                .setNumaNode(0)
                                .setName("DMA")
                                .setFreeBytes(80 << 10)
                                .setMinBytes(10 << 10)
                                .setLowBytes(20 << 10)
                                .setHighBytes(30 << 10)
                                .setPresentBytes(15992 << 10)
                                .setManagedBytes(15360 << 10)
                                .putAllSizes(Map.of(
                                        "boost", 0L, "reserved_highatomic", 4096L, "active_anon", 0L, "free_cma", 0L))
                                .addAllLowmemReservePages(List.of(0L, 1971L, 1971L))
                                .addAllFreeBlocks(List.of(1L, 0L, 1L, 0L, 0L, 0L, 0L, 0L, 0L, 0L, 0L))
                                .build(),
                        Zone.newBuilder()
                                .setNumaNode(0)
                                .setName("Normal")
                                .setFreeBytes(200 << 10)
                                .setMinBytes(956 << 10)
                                .setLowBytes(1192 << 10)
                                .setHighBytes(1428 << 10)
                                .setPresentBytes(649876 << 10)
                                .setManagedBytes(57332 << 10)
                                .addAllLowmemReservePages(List.of(0L, 0L, 0L))
                                .addAllFreeBlocks(List.of(2L, 1L))
                                .build());
        assertThat(node.getHugepagesList())
                .containsExactly(HugepagePool.newBuilder()
                        .setNumaNode(0)
                        .setTotal(3)
                        .setFree(1)
                        .setSurplus(0)
                        .setSizeBytes(2048 << 10)
                        .build());
    }

    @Test
    void everyLineIsKnownAsOneOfTheReport() {
        DumpParser parser = new DumpParser();
        Stream<String> others = Stream.of(
                "Mem-info:",
                "Node 0 DMA per-cpu:",
                "CPU    0: hi:  186, btch:  31 usd:   9",
                "HighMem: empty",
                "Normal per-cpu:",
                "CPU    0: Hot: hi:    0, btch:   1 usd:   0   Cold: hi:    0, btch:   1 usd:   0",
                "Swap cache stats: add 5512946, delete 5510992, find 2145/4494",
                "Swap cache: add 495985, delete 4762, find 0/1",
                "Unreclaimable slab info:",
                "Name                      Used          Total",
                "Memory allocations:",
                "Memory allocations (profiling is currently turned on):",
                "    38.4 MiB     5505 mm/slub.c:3075 func:alloc_slab_page",
                "    33.0 MiB     8448 drivers/block/xen-blkfront.c:322 [xen_blkfront] func:fill_grant_buffer",
                "Memory cgroup min protection 0kB -- low protection 0kB",
                "Tasks state (memory values in pages):",
                "56640 pages shared",
                "4018762 pages non-shared",
                "560 slab pages",
                "369 free pages",
                "0 pages in pagetable cache");
        Stream.concat(Stream.of(LINUX_6_9), others)
                .forEach(
                        line -> assertThat(Reports.offer(parser, line)).as(line).isTrue());
    }

    @Test
    void otherDriversLinesAreNotTaken() {
        DumpParser parser = new DumpParser();
        Reports.offer(parser, "Mem-Info:");
        for (String line : List.of(
                "Node 0 is going away",
                "Node 0",
                "Node",
                "DMA engine: 3*4kB",
                "Normal free:x",
                "free: 12",
                "mapped",
                "0 pages",
                "12",
                "Free swap",
                "Total swap space",
                "usb 1-1: free:12kB",
                "CPU 0: machine check",
                "eth0: link up",
                "Memory: 1024K/2048K available",
                "Node 0 Memory: 12",
                "sd 0:0:0:0: [sda] 1:2",
                "Node 99999999999 DMA free:4kB")) {
            assertThat(Reports.offer(parser, line)).as(line).isFalse();
        }
        assertThat(Reports.incident(parser, Victim.getDefaultInstance())).isEqualTo(Incident.getDefaultInstance());
    }

    @Test
    void theCountersOfOneRecordAreTheSameHoweverItsNewlinesAreWritten() {
        String counters = String.join("", Arrays.copyOfRange(LINUX_6_9, 1, 9));
        assertThat(counters).contains("isolated_anon:0 active_file");
        for (String newline : List.of("\\x0a", "#012", "\n")) {
            String[] lines = Stream.concat(
                            Stream.of(String.join(newline, Arrays.copyOfRange(LINUX_6_9, 1, 9))),
                            Stream.of(LINUX_6_9).skip(9))
                    .toArray(String[]::new);
            assertThat(Reports.read(lines)).as(newline).isEqualTo(Reports.read(LINUX_6_9));
        }
    }

    @Test
    void aCounterOfANewerKernelIsTakenAmongTheOthers() {
        String[] lines = LINUX_6_9.clone();
        lines[7] = " new_kind_of_memory:12";
        assertThat(Reports.read(lines).getNodeMemory().getCountersMap())
                .containsEntry("new_kind_of_memory", 12L * 4096)
                .containsEntry("free", 70L * 4096);
        assertThat(Reports.read("new_kind_of_memory:12")).isEqualTo(Incident.getDefaultInstance());
    }

    @Test
    void before2632ThereWereFewerNames() {
        Incident incident = Reports.read(
                "Mem-info:",
                "Active:31 inactive:491089 dirty:0 writeback:23480 unstable:0",
                " free:3005 slab:7514 mapped:1 pagetables:1063 bounce:0",
                "491299 total pagecache pages",
                "Swap cache: add 495985, delete 4762, find 0/1",
                "Free swap  = 3963444kB",
                "Total swap = 5947384kB",
                "515887 pages of RAM",
                "12 pages of HIGHMEM",
                "8379 reserved pages",
                "83 pages shared",
                "491223 pages swap cached");
        assertThat(incident.getMemory())
                .isEqualTo(MemoryBreakdown.newBuilder()
                        .setFileBytes(491299L * 4096)
                        .setSlabBytes(7514 * 4096)
                        .setPagetablesBytes(1063 * 4096)
                        .setFreeBytes(3005 * 4096)
                        .setSwapBytes((5947384L - 3963444) << 10)
                        .build());
        assertThat(incident.getPageSizeAssumed()).isTrue();
        NodeMemory node = incident.getNodeMemory();
        assertThat(node.getCountersMap()).hasSize(10).containsEntry("inactive", 491089L * 4096);
        assertThat(node.getRamBytes()).isEqualTo(515887L * 4096);
        assertThat(node.getHighmemBytes()).isEqualTo(12 * 4096);
        assertThat(node.getReservedBytes()).isEqualTo(8379 * 4096);
        assertThat(node.getSwapCacheBytes()).isEqualTo(491223L * 4096);
        MemoryBreakdown of2628 = Reports.read(
                        "Active_anon:100 active_file:54 inactive_anon:12",
                        " inactive_file:12 unevictable:0 dirty:0 writeback:0 unstable:0",
                        " free:3005 slab:7514 mapped:1 pagetables:1063 bounce:0")
                .getMemory();
        assertThat(of2628.getAnonBytes()).isEqualTo(112 * 4096);
        assertThat(of2628.getSlabBytes()).isEqualTo(7514 * 4096);
    }

    @Test
    void kernelsWithoutNumaPrintNoNodeBeforeAZone() {
        NodeMemory node = Reports.read(
                        "Normal free:1008kB min:1016kB low:1268kB high:1524kB active_anon:27416kB present:65024kB mlocked:0kB "
                                + "kernel_stack:360kB pages_scanned:136 all_unreclaimable? yes",
                        "lowmem_reserve[]: 0 0",
                        "Normal: 8*4kB 2*8kB 0*16kB 0*32kB 1*64kB 1*128kB 1*256kB 1*512kB 0*1024kB 0*2048kB 0*4096kB = 1008kB")
                .getNodeMemory();
        Zone zone = node.getZones(0);
        assertThat(node.getZonesCount()).isEqualTo(1);
        assertThat(zone.getFreeBytes()).isEqualTo(1008 << 10);
        assertThat(zone.getSizesMap()).containsOnlyKeys("active_anon", "mlocked", "kernel_stack");
        assertThat(zone.getFreeBlocksList()).startsWith(8L, 2L).hasSize(11);
    }

    @Test
    void theBlocksOfOrderZeroTellTheSizeOfAPage() {
        Incident incident = Reports.read(
                " free:10 free_pcp:0 free_cma:0", "Node 0 DMA: 39*64kB (UME) 11*128kB (UM) 0*256kB = 3904kB");
        assertThat(incident.getPageSizeBytes()).isEqualTo(64 << 10);
        assertThat(incident.getMemory().getFreeBytes()).isEqualTo(640 << 10);
        assertThat(Reports.read("free:10 free_pcp:0", "Node 0 DMA: 39*5kB 11*10kB")
                        .getPageSizeAssumed())
                .isTrue();
    }

    @Test
    void aLineOfFreeBlocksThatWasCutGivesTheOrdersThatAreWhole() {
        assertThat(Reports.read("Node 0 DMA: 39*4kB (UME) 11*8kB (UM) 3*1")
                        .getNodeMemory()
                        .getZones(0)
                        .getFreeBlocksList())
                .containsExactly(39L, 11L);
        assertThat(Reports.read("Node 0 DMA: 39*4kB 11*8kB 7*64kB")
                        .getNodeMemory()
                        .getZones(0)
                        .getFreeBlocksList())
                .as("orders double")
                .containsExactly(39L, 11L);
    }

    @Test
    void whereOnlySomeNodesArePrintedTheirSumIsNotTheNodes() {
        String[] lines = LINUX_6_9.clone();
        lines[9] = lines[9].replace(
                "Node 0 active_anon:400kB inactive_anon:4000kB", "Node 3 active_anon:8kB inactive_anon:3990kB");
        lines[2] = " active_file:20000 inactive_file:30000 isolated_file:0";
        assertThat(Reports.read(lines).getMemory())
                .isEqualTo(OF_6_9.toBuilder()
                        .clearKernelStackBytes()
                        .clearHugepagesBytes()
                        .build());
    }

    @Test
    void theFirstOfTwoReportsOfMemoryCounts() {
        String[] twice = Stream.concat(
                        Stream.of(LINUX_6_9), Stream.of(LINUX_6_9).map(line -> line.replace('1', '2')))
                .toArray(String[]::new);
        NodeMemory once = Reports.read(LINUX_6_9).getNodeMemory();
        NodeMemory node = Reports.read(twice).getNodeMemory();
        assertThat(node.getCountersMap()).isEqualTo(once.getCountersMap());
        assertThat(node.getZonesList()).isEqualTo(once.getZonesList());
        assertThat(node.getRamBytes()).isEqualTo(once.getRamBytes());
    }

    @Test
    void aSpaceThatAWebPageMadeUnbreakableIsASpace() {
        NodeMemory node = Reports.read("Free swap\u00c2\u00a0 = 12kB", "Total swap =\u00c2\u00a0\u00c2\u00a034kB")
                .getNodeMemory();
        assertThat(node.getSwapFreeBytes()).isEqualTo(12 << 10);
        assertThat(node.getSwapTotalBytes()).isEqualTo(34 << 10);
    }

    @Test
    void theLargestSlabCachesAreKept() {
        Stream<String> rows = Stream.iterate(0, i -> i + 1)
                .limit(1000)
                .map(i -> i * 7919 % 1000)
                .map(i -> "kmalloc-%-9d %10dKB %10dKB ".formatted(i, i, 2 * i));
        Incident incident = Reports.read(Stream.concat(
                        Stream.of(
                                "Unreclaimable slab info:",
                                "Name                      Used          Total",
                                "inode cache(7:a b)         64KB      90000KB"),
                        rows)
                .toArray(String[]::new));
        assertThat(incident.getSlabCachesList())
                .hasSize(20)
                .startsWith(
                        SlabCache.newBuilder()
                                .setName("inode cache(7:a b)")
                                .setUsedBytes(64 << 10)
                                .setTotalBytes(90000 << 10)
                                .build(),
                        SlabCache.newBuilder()
                                .setName("kmalloc-999")
                                .setUsedBytes(999 << 10)
                                .setTotalBytes(1998 << 10)
                                .build());
        assertThat(incident.getSlabCaches(19).getName()).isEqualTo("kmalloc-981");
    }

    @Test
    void whatLooksLikeASlabCacheBeforeTheTableIsNone() {
        assertThat(Reports.read("TCPv6                     61KB         61KB").getSlabCachesList())
                .isEmpty();
        assertThat(Reports.read(
                                "Unreclaimable slab info:",
                                "TCPv6                     61KB         6",
                                "sda: 61KB of 62KB read",
                                "61KB 62KB",
                                "   61KB")
                        .getSlabCachesList())
                .isEmpty();
    }
}
