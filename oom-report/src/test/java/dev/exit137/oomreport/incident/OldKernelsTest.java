package dev.exit137.oomreport.incident;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.oomreport.parse.OomLine;
import dev.exit137.oomreport.parse.OomLine.Wording;
import dev.exit137.oomreport.parse.OomLineParser;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** How the lines of kernels before 5.1 become incidents, and those of reports that are not all there. */
class OldKernelsTest {
    private static final String INVOKED = "sh invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=0";
    private static final String CPUSET = "sh cpuset=box mems_allowed=0-1";
    private static final String TASK_IN = "Task in /box/a killed as a result of limit of /box";
    private static final String MEMORY = "memory: usage 1024kB, limit 1024kB, failcnt 7";
    private static final String MEMSW = "memory+swap: usage 2048kB, limit 4096kB, failcnt 0";
    private static final String KMEM = "kmem: usage 12kB, limit 9007199254740988kB, failcnt 0";
    private static final String STATS = "Memory cgroup stats for /box: cache:0KB rss:1024KB";
    private static final String MEMCG_SUMMARY =
            "oom-kill:constraint=CONSTRAINT_NONE,nodemask=0,cpuset=/,mems_allowed=0,oom_memcg=/box,task_memcg=/box/a,task=sh,"
                    + "pid=7,uid=0";
    private static final String GLOBAL_SUMMARY =
            "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/a,task=sh,"
                    + "pid=7,uid=0";

    private final List<String> told = new ArrayList<>();
    private final IncidentAssembler assembler = new IncidentAssembler(new Teller());
    private final OomLineParser parser = new OomLineParser();
    private final OomLine line = new OomLine();
    private long sequence = 1;

    private final class Teller implements IncidentAssembler.Sink {
        @Override
        public void onBegun(OomIncident incident) {}

        @Override
        public boolean isGroupMember(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
            return true;
        }

        @Override
        public void onKill(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
            told.add("kill " + killed.pid() + " of " + incident.firstSequence());
        }

        @Override
        public void onRepeatedKill(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
            told.add("again " + killed.pid() + " of " + incident.firstSequence());
        }

        @Override
        public void onClosed(OomIncident incident) {
            if (incident.kills() == 0) {
                told.add("no kill of " + incident.firstSequence());
            }
        }
    }

    private OomIncident read(String... messages) {
        for (String message : messages) {
            byte[] bytes = message.getBytes(StandardCharsets.ISO_8859_1);
            parser.parse(bytes, 0, bytes.length, line);
            assembler.onLine(line, sequence, sequence);
            sequence++;
        }
        assembler.close();
        return assembler.incident();
    }

    private static String chosen(String wording, int pid) {
        return wording + ": Kill process " + pid + " (sh) score 623 or sacrifice child";
    }

    private static String killed(int pid) {
        return "Killed process " + pid + " (sh) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB";
    }

    @Test
    void aWholeReportOfAMemcgIsOneIncidentThatSaysAllOfIt() {
        OomIncident incident = read(
                INVOKED,
                CPUSET,
                "Pid: 9, comm: sh Not tainted 2.6.32 #1",
                TASK_IN,
                MEMORY,
                MEMSW,
                KMEM,
                STATS,
                "Memory cgroup stats for /box/a: cache:0KB rss:1024KB",
                chosen("Memory cgroup out of memory", 7),
                killed(7));

        assertThat(told).containsExactly("kill 7 of 1");
        assertThat(incident.triggerPid()).isEqualTo(9);
        assertThat(incident.cpuset()).hasToString("box");
        assertThat(incident.memsAllowed()).hasToString("0-1");
        assertThat(incident.taskMemcg()).hasToString("/box/a");
        assertThat(incident.oomMemcg()).hasToString("/box");
        assertThat(incident.limitBytes()).isEqualTo(1 << 20);
        assertThat(incident.failcnt()).isEqualTo(7);
        assertThat(incident.isMemoryPlusSwap()).isTrue();
        assertThat(incident.swapLimitBytes()).isEqualTo(4 << 20);
        assertThat(incident.kmemUsageBytes()).isEqualTo(12 << 10);
        assertThat(incident.kmemLimitBytes()).isEqualTo(OomLine.UNLIMITED);
        assertThat(incident.chosenPid()).isEqualTo(7);
        assertThat(incident.chosenOomScore()).isEqualTo(623);
        assertThat(incident.wording()).isEqualTo(Wording.MEMCG);
    }

    @Test
    void theChildThatIsKilledForItsParentIsTheKillOfTheSameIncident() {
        OomIncident incident = read(chosen("Out of memory", 7), killed(8));

        assertThat(told).containsExactly("kill 8 of 1");
        assertThat(incident.chosenPid()).isEqualTo(7);
    }

    @Test
    void redHatsUserOfTheChildDoesNotMakeItAnotherIncident() {
        read(chosen("Out of memory", 7), "Killed process 8 (sh), UID 5, total-vm:8kB, anon-rss:4kB, file-rss:0kB");

        assertThat(told).containsExactly("kill 8 of 1");
    }

    @Test
    void aStormIsAnIncidentForEveryPairOfLines() {
        read(chosen("Out of memory", 7), killed(7), chosen("Out of memory", 8), killed(9));

        assertThat(told).containsExactly("kill 7 of 1", "kill 9 of 3");
    }

    @Test
    void onesThatWereChosenAndNotKilledAreIncidentsWithoutAKill() {
        read(chosen("Out of memory", 7), chosen("Out of memory", 8), killed(8));

        assertThat(told).containsExactly("no kill of 1", "kill 8 of 2");
    }

    @Test
    void kernel50PrintsTheSummaryAsWellAsTheScore() {
        read(MEMCG_SUMMARY, chosen("Memory cgroup out of memory", 7), killed(7));

        assertThat(told).containsExactly("kill 7 of 1");
    }

    @Test
    void aReportThatStartsInTheMiddleIsAnIncidentAllTheSame() {
        assertThat(read(TASK_IN).oomMemcg()).hasToString("/box");
        assertThat(read(MEMORY, MEMSW).limitBytes()).isEqualTo(1 << 20);
        assertThat(read(STATS).isMemcg()).isTrue();
        assertThat(told).containsExactly("no kill of 1", "no kill of 2", "no kill of 4");
    }

    @Test
    void theBlockOfTheNextReportWhoseHeadIsMissingIsNotOfThisOne() {
        read(INVOKED, TASK_IN, MEMORY, STATS, TASK_IN, MEMORY, chosen("Memory cgroup out of memory", 7), killed(7));

        assertThat(told).containsExactly("no kill of 1", "kill 7 of 5");
    }

    @Test
    void theStatsBehindTheUsageNameTheLimitAndThoseOfTheCgroupsBelowDoNot() {
        OomIncident incident = read(MEMORY, STATS, "Memory cgroup stats for /box/a: cache:0KB rss:0KB");

        assertThat(incident.oomMemcg()).hasToString("/box");
    }

    @Test
    void whatIsOfAMemcgAndWhatIsNotAreTwoIncidents() {
        read(MEMORY, GLOBAL_SUMMARY, killed(7));
        read(MEMORY, chosen("Out of memory", 7), killed(7));
        read(GLOBAL_SUMMARY, "Memory cgroup out of memory: " + killed(7));
        read(INVOKED, MEMORY, "Out of memory: " + killed(7));

        assertThat(told)
                .containsExactly(
                        "no kill of 1",
                        "kill 7 of 2",
                        "no kill of 4",
                        "kill 7 of 5",
                        "no kill of 7",
                        "kill 7 of 8",
                        "no kill of 9",
                        "kill 7 of 11");
    }

    @Test
    void aSummaryOfAnotherCgroupIsOfAnotherIncident() {
        read(TASK_IN.replace("of /box", "of /other"), MEMCG_SUMMARY, killed(7));

        assertThat(told).containsExactly("no kill of 1", "kill 7 of 2");
    }

    @Test
    void anotherProcesssCpusetIsNotTheTriggers() {
        OomIncident incident =
                read(INVOKED, "swapper/0 cpuset=/ mems_allowed=0", CPUSET, "sh cpuset=other mems_allowed=5");

        assertThat(incident.cpuset()).hasToString("box");
    }

    @Test
    void theDyingOnesOfAGroupAreCounted() {
        OomIncident incident = read(
                MEMCG_SUMMARY,
                "Memory cgroup out of memory: OOM victim 7 (sh) is already exiting. Skip killing the task",
                "Tasks in /box are going to be killed due to memory.oom.group set",
                "Memory cgroup out of memory: " + killed(8),
                "Memory cgroup out of memory: OOM victim 9 (sh) is already exiting. Skip killing the task");

        assertThat(told).containsExactly("kill 8 of 1");
        assertThat(incident.alreadyExiting()).isEqualTo(2);
    }

    @Test
    void theNextKillIsNotOfTheReportThatEndedWithoutOne() {
        read(
                MEMCG_SUMMARY,
                "Memory cgroup out of memory: OOM victim 7 (sh) is already exiting. Skip killing the task",
                "Memory cgroup out of memory: " + killed(7));
        read(
                INVOKED,
                "Out of memory and no killable processes...",
                "Out of memory and no killable processes...",
                "Out of memory: " + killed(7));

        assertThat(told).containsExactly("no kill of 1", "kill 7 of 3", "no kill of 4", "no kill of 6", "kill 7 of 7");
    }
}
