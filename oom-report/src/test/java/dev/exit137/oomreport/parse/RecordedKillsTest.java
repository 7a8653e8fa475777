package dev.exit137.oomreport.parse;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.oomreport.parse.OomLine.Kind;
import dev.exit137.oomreport.parse.OomLine.Wording;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Records that real kernels gave, from the first line of the report to the kill. */
class RecordedKillsTest {
    private static final String POD =
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod11111111_2222_3333_4444_";

    @Test
    void everyLineOfAKillOnCgroupV1() {
        assertThat(report("host-6.18-v1-memcg.kmsg"))
                .containsExactly(
                        Map.of(
                                "kind",
                                Kind.INVOKED,
                                "comm",
                                "hog",
                                "gfpMask",
                                "0xcc0(GFP_KERNEL)",
                                "order",
                                0L,
                                "oomScoreAdj",
                                0L),
                        Map.of("kind", Kind.TRIGGER_CPU, "comm", "hog", "cpu", 1L, "uid", 0L, "pid", 14816L),
                        Map.of(
                                "kind",
                                Kind.MEMORY_USAGE,
                                "usageBytes",
                                33554432L,
                                "limitBytes",
                                33554432L,
                                "failcnt",
                                19L),
                        Map.of(
                                "kind",
                                Kind.SWAP_USAGE,
                                "memoryPlusSwap",
                                true,
                                "usageBytes",
                                33554432L,
                                "limitBytes",
                                -1L,
                                "failcnt",
                                0L),
                        Map.of("kind", Kind.KMEM_USAGE, "usageBytes", 124L << 10, "limitBytes", -1L, "failcnt", 0L),
                        Map.of("kind", Kind.MEMCG_STATS, "oomMemcg", "/exit137-fixture-3766"),
                        Map.of(
                                "kind",
                                Kind.SUMMARY,
                                "constraint",
                                "CONSTRAINT_MEMCG",
                                "cpuset",
                                "/",
                                "memsAllowed",
                                "0",
                                "oomMemcg",
                                "/exit137-fixture-3766",
                                "taskMemcg",
                                "/exit137-fixture-3766",
                                "comm",
                                "hog",
                                "pid",
                                14816L,
                                "uid",
                                0L),
                        Map.ofEntries(
                                Map.entry("kind", Kind.KILLED),
                                Map.entry("wording", Wording.MEMCG),
                                Map.entry("pid", 14816L),
                                Map.entry("comm", "hog"),
                                Map.entry("uid", 0L),
                                Map.entry("totalVmBytes", 33884L << 10),
                                Map.entry("anonRssBytes", 32640L << 10),
                                Map.entry("fileRssBytes", 548L << 10),
                                Map.entry("shmemRssBytes", 0L),
                                Map.entry("pgtablesBytes", 104L << 10),
                                Map.entry("oomScoreAdj", 0L)));
    }

    @Test
    void aKillAtAContainersLimitAndOneOnANodeWithoutMemory() {
        assertThat(victims("uml-6.1-memcg.kmsg")).containsExactly("686:java");
        assertThat(paths("uml-6.1-memcg.kmsg")).allMatch(path -> path.startsWith(POD) && path.endsWith("11.scope"));
        assertThat(victims("uml-6.1-global.kmsg")).containsExactly("686:glutton");
        assertThat(report("uml-6.1-global.kmsg"))
                .anyMatch(line -> line.get("kind") == Kind.SUMMARY
                        && line.containsKey("globalOom")
                        && !line.containsKey("oomMemcg"));
    }

    @Test
    void aGroupKillLogsItsChosenVictimTwice() {
        assertThat(victims("uml-6.1-group.kmsg"))
                .containsExactly("687:eater", "685:idle-one", "686:idle-two", "687:eater");
        assertThat(report("uml-6.1-group.kmsg"))
                .filteredOn(line -> line.get("kind") == Kind.GROUP_KILL)
                .extracting(line -> (String) line.get("groupMemcg"))
                .containsExactlyElementsOf(paths("uml-6.1-group.kmsg"));
    }

    @Test
    void aStormHasAKilledLineForEveryKillAndSummariesForTen() {
        List<Map<String, Object>> report = report("uml-6.1-storm.kmsg");

        assertThat(victims("uml-6.1-storm.kmsg"))
                .extracting(victim -> victim.replaceFirst("\\d+:", ""))
                .containsExactlyInAnyOrderElementsOf(IntStream.range(0, 40)
                        .mapToObj(i -> "storm-%02d".formatted(i))
                        .toList());
        assertThat(report).filteredOn(line -> line.get("kind") == Kind.SUMMARY).hasSize(10);
    }

    @Test
    void strangeNamesAreKeptAndSpoofedLinesAreNotOfTheKernel() {
        assertThat(victims("uml-6.1-names.kmsg"))
                .containsExactly(
                        "686:a) (b",
                        "687:x,task=y,pid=1",
                        "688:\u65e5\u672c\u8a9e\u3067\u3059",
                        "689:new\nline",
                        "695:twin-two");
        assertThat(paths("uml-6.1-names.kmsg").subList(0, 4))
                .containsExactly("/names/parentheses", "/names/like-the-summary", "/names/utf-8", "/names/newline");
    }

    private static List<Map<String, Object>> report(String fixture) {
        List<Map<String, Object>> report = new ArrayList<>();
        for (byte[] record : Records.fixture(fixture)) {
            Map<String, Object> line = Fields.parse(record);
            if (Records.wrap(record).facility() == 0 && line.get("kind") != Kind.NONE) {
                report.add(line);
            }
        }
        return report;
    }

    private static List<String> victims(String fixture) {
        return report(fixture).stream()
                .filter(line -> line.get("kind") == Kind.KILLED)
                .map(line -> line.get("pid") + ":" + line.get("comm"))
                .toList();
    }

    private static List<String> paths(String fixture) {
        return report(fixture).stream()
                .filter(line -> line.get("kind") == Kind.SUMMARY)
                .map(line -> (String) line.get("taskMemcg"))
                .toList();
    }
}
