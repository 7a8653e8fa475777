package dev.exit137.oomreport.parse;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.oomreport.parse.OomLine.Kind;
import dev.exit137.oomreport.parse.OomLine.Wording;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Logs are cut by terminals, pagers and level filters: a cut line must not give another process than the whole one. */
class CutLinesTest {
    /** What stands at the very end may be the beginning of something longer, and nothing tells. */
    private static final List<String> AT_THE_END = List.of("uid", "failcnt", "oomScoreAdj");

    @Test
    void aLineCutAnywhereSaysNothingThatTheWholeLineDoesNotSay() {
        for (String line : Forms.LINES) {
            Map<String, Object> whole = Fields.parse(line);
            for (int length = 0; length < line.length(); length++) {
                Map<String, Object> cut = Fields.parse(line.substring(0, length));
                Object kind = cut.get("kind");
                if (kind != Kind.NONE) {
                    cut.keySet().removeAll(AT_THE_END);
                    if (kind == Kind.TASK_IN) {
                        cut.remove("oomMemcg");
                    } else if (kind == Kind.CPUSET) {
                        cut.remove("memsAllowed");
                    } else if (kind == Kind.KILLED || kind == Kind.CHOSEN) {
                        assertThat((String) whole.getOrDefault("comm", ""))
                                .startsWith((String) cut.getOrDefault("comm", ""));
                        cut.remove("comm");
                    }
                    assertThat(whole).as(line.substring(0, length)).containsAllEntriesOf(cut);
                }
            }
        }
    }

    @Test
    void aKillIsKnownAsSoonAsItsPidAndNameAre() {
        String line = "Out of memory: Killed process 137889 (python3)" + Forms.KILLED_TAIL;
        int name = line.indexOf(')');

        for (int length = 0; length < line.length(); length++) {
            assertThat(Fields.parse(line.substring(0, length)).get("kind"))
                    .as("%d bytes", length)
                    .isEqualTo(length <= name ? Kind.NONE : Kind.KILLED);
        }
        assertThat(Fields.parse(line.substring(0, name + 5)))
                .isEqualTo(Map.of("kind", Kind.KILLED, "wording", Wording.NODE, "pid", 137889L, "comm", "python3"));
    }

    @Test
    void whoAskedIsKnownWhereverTheLineIsCutBehindTheGfpMask() {
        for (String line : Forms.LINES) {
            int mask = line.indexOf(" invoked oom-killer: gfp_mask=") + " invoked oom-killer: gfp_mask=".length();
            String key = line.replaceFirst("[^=]*$", "");
            for (int length = mask;
                    line.contains(" invoked oom-killer: gfp_mask=") && length < key.length();
                    length++) {
                if (!line.substring(0, length).endsWith("-")) {
                    for (String last : List.of("0", ">", "\u2026")) {
                        Map<String, Object> cut = parseCutTrigger(line.substring(0, length) + last);
                        assertThat(cut)
                                .as(line.substring(0, length) + last)
                                .containsEntry("kind", Kind.INVOKED)
                                .containsKey("comm");
                        assertThat(Fields.parse(line))
                                .as(line.substring(0, length) + last)
                                .containsAllEntriesOf(cut);
                    }
                }
            }
        }
    }

    @Test
    void aDeviceWithThatNameInvokedNothing() {
        for (String text : List.of(
                "input: x invoked oom-killer: gfp_mask=0xcc0 as /devices/virtual/input/input1",
                "input: x invoked oom-killer: gfp_mask=0xcc0, order=0 as /devices/virtual/input/input1",
                "python invoked oom-killer: ... constraint=CONSTRAINT_MEMCG")) {
            assertThat(parseCutTrigger(text)).as(text).isEqualTo(Map.of("kind", Kind.NONE));
        }
    }

    private static Map<String, Object> parseCutTrigger(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        OomLine line = new OomLine();
        new OomLineParser().parseCutTrigger(bytes, 0, bytes.length, line);
        return Fields.of(line);
    }

    @Test
    void aNameThatIsLikeALineCutShortIsNotCutWhereTheLineIsWhole() {
        for (String comm :
                List.of("a) total-vm:1kB", "a) total-vm:1", "a), UID 1, tota", "a) vsz:1kB, ano", "a) (b).")) {
            assertThat(Fields.parse("Killed process 7788 (" + comm + ")" + Forms.KILLED_TAIL))
                    .containsEntry("comm", comm);
        }
    }

    @Test
    void sizesThatAPagerDamagedAreLeftOut() {
        assertThat(Fields.parse(
                        "Killed process 9575 (swapon01) total-vm:1051484kB, anon-rss:1046572kB, file-rss:1280kB, "
                                + "shmem-rss:0k0"))
                .isEqualTo(Map.of(
                        "kind",
                        Kind.KILLED,
                        "pid",
                        9575L,
                        "comm",
                        "swapon01",
                        "totalVmBytes",
                        1051484L << 10,
                        "anonRssBytes",
                        1046572L << 10,
                        "fileRssBytes",
                        1280L << 10));
    }

    @Test
    void aSummaryCutWithinTheNameHasItsPaths() {
        assertThat(Fields.parse(
                        "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
                                + "task_memcg=/system.slice/firewalld.service,task=fire>"))
                .isEqualTo(Map.of(
                        "kind",
                        Kind.SUMMARY,
                        "constraint",
                        "CONSTRAINT_NONE",
                        "cpuset",
                        "/",
                        "memsAllowed",
                        "0",
                        "globalOom",
                        true,
                        "taskMemcg",
                        "/system.slice/firewalld.service"));
    }

    @Test
    void aSummaryCutWithinTheSecondPathHasOnlyTheFirst() {
        assertThat(Fields.parse("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
                        + "oom_memcg=/a,task_memcg=/a/very/long/pa"))
                .isEqualTo(Map.of(
                        "kind",
                        Kind.SUMMARY,
                        "constraint",
                        "CONSTRAINT_MEMCG",
                        "cpuset",
                        "/",
                        "memsAllowed",
                        "0",
                        "oomMemcg",
                        "/a"));
    }

    @Test
    void theFirstPathOfACutSummaryIsNotCutAtAKeyWithinIt() {
        assertThat(Fields.parse("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
                        + "oom_memcg=/a/x,task_memcg=/b,task_memcg=/a/x,ta"))
                .doesNotContainKeys("oomMemcg", "taskMemcg");
    }

    @Test
    void aRecordCutAnywhereIsNoLine() {
        for (byte[] record : Records.fixture("uml-6.1-names.kmsg")) {
            OomLine line = new OomLine();
            OomLineParser parser = new OomLineParser();
            KmsgRecordFlyweight view = new KmsgRecordFlyweight();
            int end =
                    Records.wrap(record).messageOffset() + Records.wrap(record).messageLength();
            for (int length = 0; length <= end; length++) {
                parser.parse(view.wrap(record, 0, length), line);
                assertThat(line.kind()).isEqualTo(Kind.NONE);
            }
        }
    }
}
