package dev.exit137.oomreport.dump;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.MemcgStat;
import dev.exit137.proto.v1.MemoryBreakdown;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class MemcgStatsTest {
    private static final String[] V2 = {
        "memory: usage 16384kB, limit 16384kB, failcnt 82",
        "swap: usage 2112kB, limit 9007199254740988kB, failcnt 0",
        "Memory cgroup stats for /a:",
        "anon 16736256",
        "file 8192",
        "kernel 40960",
        "kernel_stack 16384",
        "pagetables 36864",
        "sock 4096",
        "shmem 4096",
        "slab_reclaimable 100",
        "slab_unreclaimable 228",
        "slab 328",
        "pgfault 4089",
    };
    private static final MemoryBreakdown OF_V2 = MemoryBreakdown.newBuilder()
            .setAnonBytes(16736256)
            .setFileBytes(8192)
            .setShmemBytes(4096)
            .setKernelBytes(40960)
            .setKernelStackBytes(16384)
            .setPagetablesBytes(36864)
            .setSockBytes(4096)
            .setSlabBytes(328)
            .setSlabUnreclaimableBytes(228)
            .setSwapBytes(2112 << 10)
            .build();

    @Test
    void aStatisticPerLineIsReadAsItStandsInMemoryStat() {
        Incident incident = Reports.read(V2);
        assertThat(incident.getMemcgStatsList()).hasSize(1);
        assertThat(incident.getMemcgStats(0).getCgroup()).isEqualTo("/a");
        assertThat(incident.getMemcgStats(0).getStatMap())
                .hasSize(11)
                .containsEntry("slab_unreclaimable", 228L)
                .containsEntry("pgfault", 4089L);
        assertThat(incident.getMemory()).isEqualTo(OF_V2);
        assertThat(incident.hasPageSizeBytes()).as("no page was counted").isFalse();
    }

    @Test
    void theStatisticsOfOneRecordAreTheSameHoweverItsNewlinesAreWritten() {
        String[] title = Arrays.copyOf(V2, 3);
        String[] stats = Arrays.copyOfRange(V2, 3, V2.length);
        for (String newline : new String[] {"\\x0a", "#012", "\n", "#012 "}) {
            String[] lines = Stream.concat(Stream.of(title), Stream.of(String.join(newline, stats)))
                    .toArray(String[]::new);
            assertThat(Reports.read(lines)).as(newline).isEqualTo(Reports.read(V2));
        }
    }

    @Test
    void otherDriversLinesBetweenTwoStatisticsAreNotTaken() {
        Incident incident = Reports.read(Stream.concat(
                        Stream.of(V2),
                        Stream.of(
                                "usb 1-1: new device",
                                "r8169 0000:02:00.0 eth0: Link is Up",
                                "Oct 12 19:00:20",
                                "total 12 of 13",
                                "x: 12",
                                "percpu 11752"))
                .toArray(String[]::new));
        assertThat(incident.getMemcgStats(0).getStatMap()).hasSize(12).containsEntry("percpu", 11752L);
    }

    @Test
    void whatLooksLikeAStatisticAfterAnotherBlockIsNone() {
        Incident incident = Reports.read(Stream.concat(
                        Stream.of(V2), Stream.of("Tasks state (memory values in pages):", "percpu 11752", "file 99"))
                .toArray(String[]::new));
        assertThat(incident).isEqualTo(Reports.read(V2));
        assertThat(Reports.read("widgets 12", "pgfault 12").getMemcgStatsList()).isEmpty();
    }

    @Test
    void aReportThatBeginsWithinTheStatisticsGivesTheRest() {
        Incident incident = Reports.read("kernel_stack 16384", "pagetables 36864", "pgfault 4089");
        assertThat(incident.getMemcgStatsList())
                .containsExactly(MemcgStat.newBuilder()
                        .putAllStat(Map.of("kernel_stack", 16384L, "pagetables", 36864L, "pgfault", 4089L))
                        .build());
        assertThat(incident.getMemory())
                .isEqualTo(MemoryBreakdown.newBuilder()
                        .setKernelStackBytes(16384)
                        .setPagetablesBytes(36864)
                        .build());
    }

    @Test
    void aLineWithoutItsNumberEndsNothing() {
        Incident incident = Reports.read(
                "Memory cgroup stats for /a:",
                "anon 1\\x0afile 2\\x0apgdeac",
                "shmem 99999999999999999999999",
                "sock 3");
        assertThat(incident.getMemcgStats(0).getStatMap()).isEqualTo(Map.of("anon", 1L, "file", 2L, "sock", 3L));
    }

    @Test
    void aLinePerCgroupIsSummedOverTheSubtreeAndKeptByCgroup() {
        Incident incident = Reports.read(
                "memory: usage 20480kB, limit 20480kB, failcnt 136",
                "memory+swap: usage 20480kB, limit 9007199254740988kB, failcnt 0",
                "kmem: usage 640kB, limit 9007199254740988kB, failcnt 0",
                "Memory cgroup stats for /a: cache:4KB rss:0KB rss_huge:0KB shmem:0KB swap:0KB unevictable:0KB",
                "Memory cgroup stats for /a/b: cache:8KB rss:19800KB rss_huge:0KB shmem:4KB swap:12KB unevictable:0KB");
        assertThat(incident.getMemcgStatsList())
                .extracting(MemcgStat::getCgroup)
                .containsExactly("/a", "/a/b");
        assertThat(incident.getMemcgStats(1).getStatMap()).hasSize(6).containsEntry("rss", 19800L << 10);
        assertThat(incident.getMemory())
                .isEqualTo(MemoryBreakdown.newBuilder()
                        .setAnonBytes(19800 << 10)
                        .setFileBytes(12 << 10)
                        .setShmemBytes(4 << 10)
                        .setKernelBytes(640 << 10)
                        .setSwapBytes(12 << 10)
                        .build());
    }

    @Test
    void aReportThatBeginsAmongTheCgroupsIsNotSummed() {
        Incident incident = Reports.read(
                "Memory cgroup stats for /a/b: cache:8KB rss:19800KB rss_huge:0KB shmem:4KB swap:12KB unevictable:0KB");
        assertThat(incident.getMemcgStatsList()).hasSize(1);
        assertThat(incident.hasMemory()).isFalse();
    }

    @Test
    void aLineThatWasCutGivesWhatIsWhole() {
        Incident incident = Reports.read("Memory cgroup stats for /a: cache:8KB rss:19800KB rss_huge:20");
        assertThat(incident.getMemcgStats(0)).isEqualTo(cacheAndRss("/a"));
        assertThat(Reports.read("Memory cgroup stats for /kubepods/burst")
                        .getMemcgStats(0)
                        .getCgroup())
                .as("of a path that was cut nobody knows the rest")
                .isEmpty();
    }

    @Test
    void aPathMayHoldAnything() {
        for (String path : new String[] {"/a b", "/x: cache:0KB", "/x rss:9KB", "/: :", "/a:b", "/"}) {
            assertThat(Reports.read("Memory cgroup stats for " + path + ": cache:8KB rss:19800KB")
                            .getMemcgStats(0))
                    .isEqualTo(cacheAndRss(path));
            assertThat(Reports.read("Memory cgroup stats for " + path + ":", "anon 1")
                            .getMemcgStats(0))
                    .isEqualTo(MemcgStat.newBuilder()
                            .setCgroup(path)
                            .putStat("anon", 1)
                            .build());
        }
    }

    @Test
    void withTotalsTheCgroupsBelowAreCounted() {
        MemoryBreakdown memory = Reports.read(
                        "memory: usage 32768kB, limit 32768kB, failcnt 19",
                        "memory+swap: usage 32868kB, limit 9007199254740988kB, failcnt 0",
                        "kmem: usage 124kB, limit 9007199254740988kB, failcnt 0",
                        "Memory cgroup stats for /a:",
                        "cache 0",
                        "rss 4096",
                        "shmem 0",
                        "swap 0",
                        "hierarchical_memsw_limit 9223372036854771712",
                        "total_cache 8192",
                        "total_rss 33427456",
                        "total_shmem 4096",
                        "total_swap 102400")
                .getMemory();
        assertThat(memory)
                .isEqualTo(MemoryBreakdown.newBuilder()
                        .setAnonBytes(33427456)
                        .setFileBytes(8192)
                        .setShmemBytes(4096)
                        .setKernelBytes(124 << 10)
                        .setSwapBytes(100 << 10)
                        .build());
    }

    @Test
    void fromFiveThreeToSixFourV1SaysOnlyHowMuchMemoryAndSwapAreTogether() {
        MemoryBreakdown memory = Reports.read(
                        "memory: usage 32768kB, limit 32768kB, failcnt 19",
                        "memory+swap: usage 32868kB, limit 9007199254740988kB, failcnt 0",
                        "Memory cgroup stats for /a:",
                        "anon 33427456")
                .getMemory();
        assertThat(memory)
                .isEqualTo(MemoryBreakdown.newBuilder()
                        .setAnonBytes(33427456)
                        .setSwapBytes(100 << 10)
                        .build());
    }

    @Test
    void aThousandCgroupsAndKeysWithoutEndAreBounded() {
        Stream<String> cgroups = Stream.iterate(0, i -> i + 1)
                .limit(1000)
                .map(i -> "Memory cgroup stats for /" + i + ": cache:0KB rss:4KB");
        Incident incident =
                Reports.read(Stream.concat(Stream.of("memory: usage 32768kB, limit 32768kB, failcnt 19"), cgroups)
                        .toArray(String[]::new));
        assertThat(incident.getMemcgStatsList()).hasSize(100);
        assertThat(incident.getMemory().getAnonBytes()).as("of all of them").isEqualTo(1000 * 4096);
        String[] keys = Stream.concat(
                        Stream.of("Memory cgroup stats for /a:"),
                        Stream.iterate(0, i -> i + 1).limit(1000).map(i -> "key" + i + " 1"))
                .toArray(String[]::new);
        assertThat(Reports.read(keys).getMemcgStats(0).getStatMap()).hasSize(128);
    }

    private static MemcgStat cacheAndRss(String cgroup) {
        return MemcgStat.newBuilder()
                .setCgroup(cgroup)
                .putStat("cache", 8 << 10)
                .putStat("rss", 19800 << 10)
                .build();
    }
}
