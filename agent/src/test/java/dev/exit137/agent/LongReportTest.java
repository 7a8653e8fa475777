package dev.exit137.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.OomKillEvent;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A node with thousands of processes: the kernel prints a table of all of them before it kills one. */
class LongReportTest extends AgentBed {
    private static final int LISTED = 100;
    private static final int VICTIM = 7;

    @Test
    void aTableOfFiveThousandTasksIsReadWhole() throws Exception {
        start();
        AgentStream stream = aggregator.nextStream();
        killWithReport(5_000);
        Incident incident = incidentOfKill(stream);
        assertThat(incident.getTasksCount()).isEqualTo(LISTED);
        assertThat(incident.getTasks(0).getPid()).isEqualTo(5_000);
        assertThat(incident.getTasksOmitted().getCount()).isEqualTo(5_000 - LISTED);
        assertThat(incident.getReportBytesOmitted()).isZero();
        assertThat(incident.getMemory().getAnonBytes()).isEqualTo(33554432);
    }

    @Test
    void ofAReportThatIsTooLongTheKillIsToldAndWhatIsMissingIsCounted() throws Exception {
        start();
        AgentStream stream = aggregator.nextStream();
        killWithReport(20_000);
        Incident incident = incidentOfKill(stream);
        long read = incident.getTasksCount() + incident.getTasksOmitted().getCount();
        assertThat(read).isBetween(5_000L, 19_999L);
        assertThat(incident.getReportBytesOmitted())
                .isEqualTo((20_000 - read) * row(1).length() + 20_000 - read + tailBytes());
        AgentStatus status = settled(stream, later -> {});
        assertThat(status.getLosses().getReportBytesOmitted()).isEqualTo(incident.getReportBytesOmitted());
    }

    @Test
    void aKillWhoseReportTheKernelLeftOutDoesNotGetTheBlocksOfAnother() throws Exception {
        start();
        AgentStream stream = aggregator.nextStream();
        killWithReport(10);
        incidentOfKill(stream);
        host.count("/a");
        host.kmsg.record(FakeHost.killed(8));
        OomKillEvent second = stream.nextEvents(1).getFirst();
        assertThat(second.getVictim().getPid()).isEqualTo(8);
        assertThat(second.getIncident().getTasksCount()).isZero();
        assertThat(second.getIncident().hasMemory()).isFalse();
    }

    private void killWithReport(int tasks) {
        printReport(host, tasks);
        host.kill("/a", VICTIM);
    }

    /** Of a kill that is still to come. */
    static void printReport(FakeHost host, int tasks) {
        host.kmsg.record("hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0");
        host.kmsg.record("memory: usage 32768kB, limit 32768kB, failcnt 30");
        host.kmsg.record("Memory cgroup stats for /a:");
        host.kmsg.record("anon 33554432");
        host.kmsg.record("file 0");
        host.kmsg.record("[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name");
        for (int pid = 1; pid <= tasks; pid++) {
            host.kmsg.record(row(pid));
        }
    }

    private static String row(int pid) {
        return "[%7d]     0 %7d     9000 %8d    81920        0             0 hog".formatted(pid, pid, pid);
    }

    /** The summary is part of the report, too. */
    private static int tailBytes() {
        return FakeHost.summary("/a", VICTIM).length() + 1;
    }

    private static Incident incidentOfKill(AgentStream stream) throws Exception {
        List<OomKillEvent> events = stream.nextEvents(1);
        stream.acknowledge(events);
        assertThat(events.getFirst().getVictim().getPid()).isEqualTo(VICTIM);
        return events.getFirst().getIncident();
    }
}
