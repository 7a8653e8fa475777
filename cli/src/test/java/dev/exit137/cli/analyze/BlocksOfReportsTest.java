package dev.exit137.cli.analyze;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.MemcgStat;
import dev.exit137.proto.v1.OomKillEvent;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Lines that tell of a kill and of the memory, too, are read for both. */
class BlocksOfReportsTest {
    private static final String LIMIT_OF_4_19 = """
      [100.000000] Task in /a/b killed as a result of limit of /a
      [100.000001] memory: usage 20480kB, limit 20480kB, failcnt 136
      [100.000002] memory+swap: usage 20480kB, limit 9007199254740988kB, failcnt 0
      [100.000003] kmem: usage 64kB, limit 9007199254740988kB, failcnt 0
      [100.000004] Memory cgroup stats for /a: cache:0KB rss:0KB rss_huge:0KB swap:0KB unevictable:0KB
      [100.000005] Memory cgroup stats for /a/b: cache:8KB rss:19800KB rss_huge:0KB swap:0KB unevictable:0KB
      [100.000006] Tasks state (memory values in pages):
      [100.000007] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
      [100.000008] [2292670]     0 2292670   178320     5602   131072        0          -997 main
      """;
    private static final String KILL = """
      [100.000009] Memory cgroup out of memory: Kill process 2292670 (main) score 1 or sacrifice child
      [100.000010] Killed process 2292670 (main) total-vm:713280kB, anon-rss:19800kB, file-rss:2608kB, shmem-rss:0kB
      """;

    @Test
    void theCgroupsAtTheirLimitAreToldWithTheKill() {
        for (String log : List.of(LIMIT_OF_4_19 + KILL, LIMIT_OF_4_19)) {
            List<OomKillEvent> events = Analysis.events(log);
            assertThat(events).hasSize(1);
            Incident incident = events.getFirst().getIncident();
            assertThat(incident.getMemcgStatsList())
                    .extracting(MemcgStat::getCgroup)
                    .containsExactly("/a", "/a/b");
            assertThat(incident.getMemory().getAnonBytes()).isEqualTo(19800 << 10);
            assertThat(incident.getMemory().getKernelBytes()).isEqualTo(64 << 10);
            assertThat(incident.getTasksList()).hasSize(1);
        }
    }

    @Test
    void theCgroupsOfOneReportAreNotTheNextOnes() {
        List<OomKillEvent> events = Analysis.events(LIMIT_OF_4_19
                + KILL
                + (LIMIT_OF_4_19 + KILL)
                        .replace("[100.", "[200.")
                        .replace("/a", "/c")
                        .replace("2292670", "2292671"));
        assertThat(events).hasSize(2);
        assertThat(events.getLast().getIncident().getMemcgStatsList())
                .extracting(MemcgStat::getCgroup)
                .containsExactly("/c", "/c/b");
    }
}
