package dev.exit137.oomreport.dump;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.oomreport.dump.Reports.Log;
import dev.exit137.oomreport.dump.Reports.Source;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.NodeMemory;
import dev.exit137.proto.v1.Victim;
import dev.exit137.proto.v1.Zone;
import java.util.List;
import java.util.function.Consumer;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** What kernels print must be found in what was read of it, and the parts make up the whole. */
@ParameterizedClass
@EnumSource(Source.class)
class CorpusDumpTest {
    private static final Pattern TASK = Pattern.compile("\\[ *\\d+\\] +\\d+ +\\d+ +\\d+ +\\d+ .*");
    private static final Pattern SWAP = Pattern.compile("(Free|Total) swap  = (\\d+)kB");
    private static final Pattern FREE_BLOCKS = Pattern.compile("(\\w+): \\d+\\*(\\d+)kB .* = (\\d+)kB");
    private static final Pattern RAM = Pattern.compile("(\\d+) pages (?:of )?RAM");
    private static final Pattern STATS_TITLE = Pattern.compile("Memory cgroup stats for (.*?):(?: cache.*)?$");
    private static final Pattern LIKE_A_BLOCK =
            Pattern.compile("\\d[kK]B\\b|\\d pages |hugepages_|\\[ *pid|^[a-z_]+ \\d+$|anon:");
    private static final Pattern OF_THE_KILL_PATH =
            Pattern.compile("Killed process|oom_reaper|: usage|HugeTLB|page tables|mode:0x| pages +\\+0x");
    private static final Pattern KILLED =
            Pattern.compile("Killed process (\\d+),? .*total-vm:(\\d+)kB, anon-rss:(\\d+)kB, file-rss:(\\d+)kB");

    private final Source source;
    private long checked;

    CorpusDumpTest(Source source) {
        this.source = source;
    }

    @Test
    void everyRowOfATaskTableIsCounted() {
        forEachReport((log, lines, incident) -> {
            long rows = lines.stream().filter(line -> TASK.matcher(line).find()).count();
            checked += rows;
            assertThat(incident.getTasksCount() + incident.getTasksOmitted().getCount())
                    .as(log)
                    .isEqualTo(rows);
        });
    }

    @Test
    void totalsAreWhatWasPrinted() {
        forEachReport((log, lines, incident) -> {
            NodeMemory node = incident.getNodeMemory();
            find(SWAP, lines, swap -> {
                long bytes = swap.group(1).equals("Free") ? node.getSwapFreeBytes() : node.getSwapTotalBytes();
                assertThat(bytes).as(log).isEqualTo(Long.parseLong(swap.group(2)) << 10);
            });
            find(
                    RAM,
                    lines,
                    ram -> assertThat(node.getRamBytes())
                            .as(log)
                            .isEqualTo(Long.parseLong(ram.group(1)) * incident.getPageSizeBytes()));
        });
    }

    @Test
    void freeBlocksMakeUpWhatTheirLineSays() {
        forEachReport((log, lines, incident) -> find(FREE_BLOCKS, lines, line -> {
            long pageBytes = Long.parseLong(line.group(2)) << 10;
            assertThat(incident.getPageSizeBytes()).as(log).isEqualTo(pageBytes);
            assertThat(incident.getPageSizeAssumed()).as(log).isFalse();
            assertThat(incident.getNodeMemory().getZonesList()).as(log).anySatisfy(zone -> {
                assertThat(zone.getName()).isEqualTo(line.group(1));
                assertThat(blocksBytes(zone, pageBytes)).isEqualTo(Long.parseLong(line.group(3)) << 10);
            });
        }));
    }

    @Test
    void whatTheZonesHaveFreeIsTheNodesFreeMemory() {
        forEachReport((log, lines, incident) -> {
            NodeMemory node = incident.getNodeMemory();
            long nodesPrinted = lines.stream()
                    .filter(line -> line.matches(".*Node \\d+ active_anon:.*"))
                    .count();
            boolean all = node.getZonesList().stream().allMatch(Zone::hasFreeBytes)
                    && nodesPrinted != 1
                    && node.getCountersMap().containsKey("free");
            if (all && !node.getZonesList().isEmpty()) {
                double zonesBytes = node.getZonesList().stream()
                        .mapToLong(Zone::getFreeBytes)
                        .sum();
                checked++;
                assertThat(zonesBytes / node.getCountersOrThrow("free")).as(log).isBetween(0.9, 1.1);
            }
        });
    }

    @Test
    void theRowOfAVictimIsWhatWasPrintedWhenItWasKilled() {
        forEachReport((log, lines, incident) -> find(KILLED, lines, killed -> {
            int pid = Integer.parseInt(killed.group(1));
            incident.getTasksList().stream()
                    .filter(task -> task.getPid() == pid)
                    .forEach(task -> {
                        double totalVm = Long.parseLong(killed.group(2));
                        assertThat((task.getTotalVmBytes() >> 10) / totalVm)
                                .as(log)
                                .isBetween(0.99, 1.01);
                        double rss = Long.parseLong(killed.group(3)) + Long.parseLong(killed.group(4));
                        assertThat(task.getRssBytes() >> 10)
                                .as(log)
                                .isBetween((long) (rss * 0.8), (long) (rss * 1.2) + 4096);
                    });
        }));
    }

    @Test
    void everyTitleOfStatisticsHasItsCgroup() {
        forEachReport((log, lines, incident) -> find(
                STATS_TITLE,
                lines,
                title -> assertThat(incident.getMemcgStatsList()).as(log).anySatisfy(stat -> {
                    assertThat(stat.getCgroup()).isEqualTo(title.group(1));
                })));
    }

    @Test
    void noLineOfABlockIsUnknown() {
        for (Log log : source.logs()) {
            for (List<String> lines : Reports.reports(log)) {
                DumpParser parser = new DumpParser();
                List<String> unknown = lines.stream()
                        .filter(line -> !Reports.offerFromAnywhere(parser, line))
                        .toList();
                checked += lines.stream().filter(CorpusDumpTest::isOfABlock).count();
                assertThat(unknown).as(log.name()).noneMatch(CorpusDumpTest::isOfABlock);
            }
        }
        assertThat(checked).isPositive();
    }

    private static boolean isOfABlock(String line) {
        return LIKE_A_BLOCK.matcher(line).find()
                && !OF_THE_KILL_PATH.matcher(line).find();
    }

    private interface Check {
        void check(String log, List<String> lines, Incident incident);
    }

    private void forEachReport(Check check) {
        for (Log log : source.logs()) {
            for (List<String> lines : Reports.reports(log)) {
                DumpParser parser = new DumpParser();
                lines.forEach(line -> Reports.offerFromAnywhere(parser, line));
                check.check(log.name(), lines, Reports.incident(parser, victim(lines)));
            }
        }
        assertThat(checked).as("what was found to be checked").isPositive();
    }

    private static Victim victim(List<String> lines) {
        Victim.Builder victim = Victim.newBuilder();
        matches(KILLED, lines)
                .forEach(killed -> victim.setPid(Integer.parseInt(killed.group(1)))
                        .setTotalVmBytes(Long.parseLong(killed.group(2)) << 10));
        return victim.build();
    }

    private static long blocksBytes(Zone zone, long pageBytes) {
        long bytes = 0;
        for (int order = 0; order < zone.getFreeBlocksCount(); order++) {
            bytes += zone.getFreeBlocks(order) * (pageBytes << order);
        }
        return bytes;
    }

    private void find(Pattern pattern, List<String> lines, Consumer<MatchResult> check) {
        matches(pattern, lines).forEach(match -> {
            checked++;
            check.accept(match);
        });
    }

    private static Stream<MatchResult> matches(Pattern pattern, List<String> lines) {
        return lines.stream()
                .map(line -> pattern.matcher(line.stripTrailing()))
                .filter(Matcher::find)
                .map(Matcher::toMatchResult);
    }
}
