package dev.exit137.oomreport.dump;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Task;
import dev.exit137.proto.v1.Victim;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** No text makes the parser throw, loop or grow, and none makes it say what does not stand there. */
class DamagedDumpsTest {
    private static final long SEED = 137;
    private static final int REPORTS = 8_000;

    private static final List<String> FIXTURES =
            List.of("uml-6.1-global.kmsg", "uml-6.1-memcg.kmsg", "uml-6.1-group.kmsg", "host-6.18-v1-memcg.kmsg");

    /** What lines are made of, so that a random change often makes another line. */
    private static final List<String> PIECES = List.of(
            " ",
            "  ",
            ":",
            ": ",
            "=",
            "*",
            "]",
            "[",
            "(",
            ")",
            "/",
            "0",
            "-1",
            "7",
            "99999999999999999999",
            "kB",
            "KB",
            "\\x0a",
            "#012",
            "\n",
            "\0",
            "\u00c2\u00a0",
            "\u00ff",
            "pages ",
            "Node 0 ",
            "Node 1 DMA free:4kB",
            "Normal: 1*4kB 2*8kB",
            "active_anon:1 inactive_anon:2",
            "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name\n",
            "[ 7] 0 7 1 1 1 1 1 x\n",
            "Memory cgroup stats for /a: cache:1KB rss:2KB\n",
            "Memory cgroup stats for /a:\n",
            "anon 12\n",
            "Unreclaimable slab info:\n",
            "x 1KB 2KB\n",
            "Free swap  = 1kB\n",
            "lowmem_reserve[]: 1 2\n",
            "Node 0 hugepages_total=1 hugepages_free=1 hugepages_surp=0 hugepages_size=2048kB\n");

    @Test
    void aReportThatWasDamagedAtRandomIsReadAsFarAsItGoes() {
        SplittableRandom random = new SplittableRandom(SEED);
        List<String> reports =
                FIXTURES.stream().map(name -> String.join("\n", blocks(name))).toList();
        for (int i = 0; i < REPORTS; i++) {
            StringBuilder text = new StringBuilder(reports.get(random.nextInt(reports.size())));
            for (int changes = random.nextInt(1, 12); changes > 0; changes--) {
                damage(text, reports.get(random.nextInt(reports.size())), random);
            }
            check(text.toString());
        }
    }

    @Test
    void aReportThatWasCutAnywhereGivesNothingThatTheWholeOneDoesNot() {
        for (String name : FIXTURES) {
            String text = String.join("\n", blocks(name));
            List<Task> whole = read(text).getTasksList();
            for (int at = 0; at <= text.length(); at++) {
                check(text.substring(0, at));
                assertThat(whole.stream().map(Task::getPid))
                        .containsAll(read(text.substring(at)).getTasksList().stream()
                                .map(Task::getPid)
                                .toList());
            }
        }
    }

    @Test
    void linesWithoutEndAreReadInTimeThatGrowsWithTheirLength() {
        for (String piece : List.of(
                " ", "a", "1", "[", "a:1 ", "1 ", "a:1kB ", "\\x0a", "\u00c2\u00a0", "a 1\\x0a", "1*4kB ", "1KB ")) {
            String tail = piece.repeat(1_000_000 / piece.length());
            for (String head : List.of(
                    "",
                    "Node 0 ",
                    "Node 0 DMA free:4kB ",
                    "Node 0 DMA: 1*4kB ",
                    "[ 7] ",
                    "[ pid ] ",
                    "anon 1\\x0a",
                    "Memory cgroup stats for /a: ",
                    "active_anon:1 ",
                    "lowmem_reserve[]: ",
                    "1 pages",
                    "CPU ")) {
                check("Memory cgroup stats for /a:\nUnreclaimable slab info:\n" + head + tail);
            }
        }
    }

    private static List<String> blocks(String fixture) {
        return Reports.fixture(fixture).stream()
                .filter(line -> !line.startsWith(" [<") && !line.contains("+0x"))
                .toList();
    }

    private static void check(String text) {
        Incident incident = read(text);
        assertThat(incident.getTasksCount()).isLessThanOrEqualTo(100);
        assertThat(incident.getSlabCachesCount()).isLessThanOrEqualTo(20);
        assertThat(incident.getMemcgStatsCount()).isLessThanOrEqualTo(100);
        assertThat(incident.getNodeMemory().getZonesCount()).isLessThanOrEqualTo(1024);
        assertThat(incident.getNodeMemory().getCountersCount()).isLessThanOrEqualTo(128);
        assertThat(incident.getSerializedSize()).isLessThan(1 << 20);
        for (Task task : incident.getTasksList()) {
            assertThat(text).contains(task.getPid() + "");
        }
    }

    private static Incident read(String text) {
        DumpParser parser = new DumpParser();
        byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
        parser.onText(bytes, bytes.length);
        Incident incident = Reports.incident(parser, Victim.getDefaultInstance());
        assertThat(Reports.incident(parser, Victim.getDefaultInstance()))
                .as("read twice")
                .isEqualTo(incident);
        return incident;
    }

    private static void damage(StringBuilder text, String other, SplittableRandom random) {
        int from = random.nextInt(text.length() + 1);
        int to = Math.min(text.length(), from + random.nextInt(40));
        String piece = PIECES.get(random.nextInt(PIECES.size()));
        switch (random.nextInt(6)) {
            case 0 -> text.delete(from, to);
            case 1 -> text.insert(from, piece);
            case 2 -> text.replace(from, to, piece);
            case 3 -> text.insert(from, text.substring(from, to));
            case 4 -> text.insert(from, other, 0, random.nextInt(other.length() + 1));
            default -> text.setLength(Math.max(to, text.length() / 2));
        }
    }
}
