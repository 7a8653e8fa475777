package dev.exit137.oomreport.incident;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.oomreport.parse.KmsgRecordFlyweight;
import dev.exit137.oomreport.parse.OomLine;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** How lines become incidents. */
class IncidentAssemblerTest {
    private static final String INVOKED =
            "hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=5";
    private static final String CPU = "CPU: 3 PID: 4711 Comm: hog Not tainted 6.1.0 #1";
    private static final String USAGE = "memory: usage 32768kB, limit 32768kB, failcnt 12";
    private static final String SUMMARY =
            "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/p,task_memcg=/p/a,"
                    + "task=hog,pid=7,uid=0";

    private final List<String> told = new ArrayList<>();
    private final IncidentAssembler assembler = new IncidentAssembler(new Teller());
    private long sequence = 1;
    private long micros;

    private final class Teller implements IncidentAssembler.Sink {
        @Override
        public void onBegun(OomIncident incident) {}

        @Override
        public boolean isGroupMember(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
            return true;
        }

        @Override
        public void onKill(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
            told.add("kill " + killed.pid() + " of " + incident.firstSequence() + " in " + incident.taskMemcg() + " at "
                    + incident.usageBytes());
        }

        @Override
        public void onRepeatedKill(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
            told.add("again " + killed.pid() + " of " + incident.firstSequence());
        }

        @Override
        public void onClosed(OomIncident incident) {
            told.add("closed " + incident.firstSequence() + " kills " + incident.kills());
        }
    }

    private void record(String text) {
        byte[] bytes = ("6," + sequence++ + "," + micros + ",-;" + text + "\n").getBytes(UTF_8);
        assembler.onRecord(new KmsgRecordFlyweight().wrap(bytes, 0, bytes.length));
    }

    private void killed(int pid) {
        record("Memory cgroup out of memory: Killed process " + pid
                + " (hog) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0");
    }

    @Test
    void aWholeReportIsOneIncident() {
        record(INVOKED);
        record(CPU);
        record("Call Trace:");
        record(USAGE);
        record(SUMMARY);
        killed(7);
        assembler.close();

        assertThat(told).containsExactly("kill 7 of 1 in /p/a at 33554432", "closed 1 kills 1");
        assertThat(assembler.incident().triggerPid()).isEqualTo(4711);
        assertThat(assembler.incident().triggerCpu()).isEqualTo(3);
        assertThat(assembler.incident().triggerOomScoreAdj()).isEqualTo(5);
    }

    @Test
    void killsWithoutAHeadAreIncidentsOfTheirOwn() {
        record(INVOKED);
        record(SUMMARY);
        killed(7);
        killed(8);
        killed(9);
        assembler.close();

        assertThat(told)
                .containsExactly(
                        "kill 7 of 1 in /p/a at " + OomLine.ABSENT, "closed 1 kills 1",
                        "kill 8 of 4 in  at " + OomLine.ABSENT, "closed 4 kills 1",
                        "kill 9 of 5 in  at " + OomLine.ABSENT, "closed 5 kills 1");
    }

    @Test
    void anotherThreadOfTheChosenProcessIsOfTheSameIncident() {
        record(SUMMARY);
        killed(8);
        assembler.close();

        assertThat(told).last().isEqualTo("closed 1 kills 1");
    }

    @Test
    void aSummaryTooLongForOneRecordIsStillOfItsKill() {
        record(SUMMARY.substring(0, SUMMARY.indexOf(",task=")));
        killed(7);
        assembler.close();

        assertThat(told).containsExactly("kill 7 of 1 in  at " + OomLine.ABSENT, "closed 1 kills 1");
    }

    @Test
    void aReportCutByLostRecordsDoesNotTakeTheNextOnesKill() {
        record(INVOKED);
        record(SUMMARY);
        assembler.close();
        killed(7);
        assembler.close();

        assertThat(told)
                .containsExactly("closed 1 kills 0", "kill 7 of 3 in  at " + OomLine.ABSENT, "closed 3 kills 1");
    }

    @Test
    void anotherDriversCpuLineIsNotTheTriggers() {
        record(INVOKED);
        record("CPU: 0 PID: 1 Comm: systemd Not tainted 6.1.0 #1");
        record(CPU);
        record("CPU: 1 PID: 99 Comm: hog Not tainted 6.1.0 #1");

        assertThat(assembler.incident().triggerPid()).isEqualTo(4711);
    }

    @Test
    void aKillLongAfterAGroupKillIsAnotherIncidentEvenWithTheSamePid() {
        killed(7);
        record("Tasks in /p are going to be killed due to memory.oom.group set");
        killed(7);
        micros += 5_000_000;
        killed(7);

        assertThat(told)
                .containsExactly(
                        "kill 7 of 1 in  at " + OomLine.ABSENT,
                        "again 7 of 1",
                        "closed 1 kills 1",
                        "kill 7 of 4 in  at " + OomLine.ABSENT);
    }

    @Test
    void nothingToKillIsAnIncidentWithoutAKill() {
        record(INVOKED);
        record("Out of memory and no killable processes...");
        assembler.close();

        assertThat(told).containsExactly("closed 1 kills 0");
        assertThat(assembler.incident().isNoKillableProcess()).isTrue();
    }
}
