package dev.exit137.cli.render.report;

import static dev.exit137.cli.render.report.Reports.analyzed;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Duration;
import dev.exit137.cli.analyze.AnalyzedIncident;
import dev.exit137.cli.analyze.LogTotals;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

/** What a person reads last. */
class AnalysisSummaryTest {
    private final AnalysisSummary summary = new AnalysisSummary();

    private String text(LogTotals totals) {
        StringWriter text = new StringWriter();
        PrintWriter out = new PrintWriter(text);
        summary.print(totals, out);
        out.flush();
        return text.toString();
    }

    private static AnalyzedIncident at(long seconds, OomKillEvent.Builder event) {
        event.setKernelTime(Duration.newBuilder().setSeconds(seconds));
        return analyzed(seconds + ".000000", seconds, event);
    }

    @Test
    void aLogWithoutAnOom() {
        assertEquals("""
        No OOM found.
          read     41000 lines, 2.9 MiB
        """, text(new LogTotals(3_000_000, 41_000, 0, 0)));
    }

    @Test
    void whatRepeatsAndWhen() {
        for (int minute : new int[] {0, 1, 1, 1, 7, 8, 30}) {
            summary.add(at(100 + 60 * minute, Reports.pod()));
        }
        summary.add(at(2000, Reports.node()));
        summary.add(at(2010, OomKillEvent.newBuilder().setScope(Scope.UNKNOWN).setOutcome(Outcome.KILL_NOT_SEEN)));
        assertEquals("""
        In all: 9 OOMs, 8 processes killed
          read     41000 lines, 2.9 MiB; 2 lines were too long, and only the beginning was read; the kernel
                   left out 70 reports (rate limit)
          scope    scope not known 1, memory cgroup 7, node 1
          no kill  kill not seen 1
          when     from 100.000000 to 2010.000000
                   |▃█     ▃▃                     ▃▆| a column is 1 min, the highest is 3 OOMs
          victims  7 × killed java in pod 233b806c-04ce-433c-9e64-cf4c323e6c16
          limits   7 × pod 233b806c-04ce-433c-9e64-cf4c323e6c16, 4.0 GiB
          to do    - 7 × Raise the limit, or make its largest process smaller; last: java (pid 22268) held
                     3.8 GiB, 96 % of 4.0 GiB
                   - 7 × Watch it before it is killed (memory.pressure, failcnt), since it lives at its
                     limit; last: failcnt says that it had been hit 1201 times
                   - 1 × Run less on the node, or give it more memory: 13.0 GiB (84 % of RAM) was anonymous
                     memory, the largest chrome (pid 815) 6.0 GiB, worker-1 (pid 1) 599.0 MiB, worker-2
                     (pid 2) 598.0 MiB
        """, text(new LogTotals(3_000_000, 41_000, 2, 70)));
    }

    @Test
    void theClockOfAnotherBootIsNotDrawn() {
        summary.add(at(5000, Reports.tail(1, "a")));
        summary.add(at(9000, Reports.tail(2, "b")));
        summary.add(at(10, Reports.tail(3, "c")));
        assertEquals("""
        In all: 3 OOMs, 3 processes killed
          read     3 lines, 100 B
          scope    memory cgroup 3
          when     from 5000.000000 to 10.000000
                   the clock goes back: the log is of more than one boot, or was put together
        """, text(new LogTotals(100, 3, 0, 0)));
    }

    @Test
    void theWorkersOfOneGroupRepeatNothing() {
        summary.add(analyzed("", 1, Reports.tail(1, "nginx"), Reports.tail(2, "nginx")));
        assertFalse(text(new LogTotals(100, 2, 0, 0)).contains("×"));
        summary.add(analyzed("", 9, Reports.tail(3, "nginx")));
        assertTrue(text(new LogTotals(100, 2, 0, 0)).contains("2 × killed nginx\n"));
    }

    /** A storm in which every victim has another name. */
    @Test
    void whatIsRememberedIsBounded() {
        for (int i = 0; i < 5000; i++) {
            summary.add(at(i, Reports.tail(i, i % 2 == 0 ? "same" : "worker-" + i)));
        }
        String text = text(new LogTotals(100, 5000, 0, 0));
        assertTrue(text.contains("2500 × killed same\n"), text);
        assertTrue(text.contains("1501 others were not told apart\n"), text);
    }

    /** From seconds to years: the columns stay as many, and no one is lost. */
    @Test
    void theSpansGrowWithTheTime() {
        Rate rate = new Rate();
        rate.add(java.time.Duration.ofSeconds(30));
        rate.add(java.time.Duration.ofSeconds(31));
        rate.add(java.time.Duration.ofDays(400));
        rate.add(java.time.Duration.ofSeconds(Long.MAX_VALUE));
        assertTrue(rate.bars().length() <= 48);
        assertEquals(3, rate.most());
    }
}
