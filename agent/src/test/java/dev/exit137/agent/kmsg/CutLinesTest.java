package dev.exit137.agent.kmsg;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.agent.kmsg.OomLine.Kind;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Logs are cut by terminals, pagers and level filters: a cut line must not give another process than the whole one. */
class CutLinesTest {
  /** A number at the very end may be the beginning of a longer one, and nothing tells. */
  private static final List<String> NUMBERS_AT_THE_END = List.of("uid", "failcnt", "oomScoreAdj");

  @Test
  void aLineCutAnywhereSaysNothingThatTheWholeLineDoesNotSay() {
    for (String line : Forms.LINES) {
      Map<String, Object> whole = Fields.parse(line);
      for (int length = 0; length < line.length(); length++) {
        Map<String, Object> cut = Fields.parse(line.substring(0, length));
        if (cut.get("kind") != Kind.NONE) {
          cut.keySet().removeAll(NUMBERS_AT_THE_END);
          assertThat(whole).as(line.substring(0, length)).containsAllEntriesOf(cut);
        }
      }
    }
  }

  @Test
  void aKilledLineCutWithinTheNameIsNoKill() {
    String line = "Killed process 7788 ()) total-vm:1kB,)" + Forms.KILLED_TAIL;
    int firstWhole = line.indexOf("anon-rss:") + "anon-rss:".length();

    for (int length = 0; length < line.length(); length++) {
      assertThat(Fields.parse(line.substring(0, length)).get("kind")).as("%d bytes", length)
          .isEqualTo(length < firstWhole ? Kind.NONE : Kind.KILLED);
    }
  }

  @Test
  void theSummarysPathCutByTheEndOfARecordIsNoPath() {
    assertThat(Fields.parse("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
        + "oom_memcg=/a,task_memcg=/a/very/long/pa")).isEqualTo(Map.of("kind", Kind.SUMMARY,
            "constraint", "CONSTRAINT_MEMCG", "cpuset", "/", "memsAllowed", "0"));
  }

  @Test
  void aRecordCutAnywhereIsNoLine() {
    for (byte[] record : Records.fixture("uml-6.1-names.kmsg")) {
      OomLine line = new OomLine();
      OomLineParser parser = new OomLineParser();
      KmsgRecordFlyweight view = new KmsgRecordFlyweight();
      int end = Records.wrap(record).messageOffset() + Records.wrap(record).messageLength();
      for (int length = 0; length <= end; length++) {
        parser.parse(view.wrap(record, 0, length), line);
        assertThat(line.kind()).isEqualTo(Kind.NONE);
      }
    }
  }
}
