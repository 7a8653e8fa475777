package dev.exit137.cli.render.report;

import static dev.exit137.cli.render.report.Reports.analyzed;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.exit137.cli.analyze.AnalyzedIncident;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a person reads. */
class IncidentTextTest {
    private static String text(AnalyzedIncident incident) {
        StringWriter text = new StringWriter();
        PrintWriter out = new PrintWriter(text);
        IncidentText.print(incident, out);
        out.flush();
        return text.toString();
    }

    @Test
    void aPodAtItsLimit() {
        assertEquals("""
        OOM at Jul 13 12:00:01, line 812, memory cgroup: killed java (22268)
          The kernel killed java (pid 22268) in container a874b4a74b84, which held 3.8 GiB, because pod
          233b806c-04ce-433c-9e64-cf4c323e6c16, above it, reached its memory limit of 4.0 GiB. Anonymous
          memory filled it, 3.9 GiB (96 %), most of it the victim's.
          to do    - Raise the limit, or make its largest process smaller: java (pid 22268) held 3.8 GiB,
                     96 % of 4.0 GiB
                   - Watch it before it is killed (memory.pressure, failcnt), since it lives at its limit:
                     failcnt says that it had been hit 1201 times
          limit    of         /kubepods.slice/kubepods-burstable.slice/
                              kubepods-burstable-pod233b806c_04ce_433c_9e64_cf4c323e6c16.slice
                   victim in  …/cri-containerd-a874b4a74b84b99c912402cdb454b1462528b272d2c0a874b4a74b84b99c9
                              124.scope
                   memory     4.0 GiB of 4.0 GiB, hit 1201 times
                   swap       none allowed
          memory   anonymous memory            3.9 GiB   96 %  ███████████████████████
                   tmpfs and shared memory    20.0 MiB  < 1 %
                   page cache                 40.0 MiB    1 %
                   slab                       40.0 MiB    1 %
                   unreclaimable slab         10.0 MiB  < 1 %
                   page tables                 9.0 MiB  < 1 %
                   kernel stacks               1.0 MiB  < 1 %
                   other kernel memory        20.0 MiB  < 1 %
          tasks                 PID  NAME               RESIDENT   SHARE    IN SWAP     ADJ
                   killed     22268  java                3.8 GiB    96 %        0 B     985
                              22301  CPU 0/KVM          40.0 MiB     1 %        0 B     985
                              22100  pause               4.0 KiB   < 1 %        0 B    -998
          trigger  java (22268) asked for 1 page (order 0, 4.0 KiB), gfp 0xcc0 GFP_KERNEL, oom_score_adj 985
          kernel   5.15.0-1087-azure

        """, text(analyzed("Jul 13 12:00:01", 812, Reports.pod())));
    }

    @Test
    void aNodeWithoutMemory() {
        assertEquals("""
        OOM at 12345.678901, line 3, node: killed chrome (815)
          The kernel killed chrome (pid 815) in session-2.scope, which held 6.0 GiB, because the node ran
          out of memory when sed (pid 29481) asked for memory. 13.0 GiB (84 % of RAM) was anonymous memory;
          swap (2.0 GiB) was full.
          to do    - Run less on the node, or give it more memory: 13.0 GiB (84 % of RAM) was anonymous
                     memory, the largest chrome (pid 815) 6.0 GiB, worker-1 (pid 1) 599.0 MiB, worker-2
                     (pid 2) 598.0 MiB
          node     16.0 GiB RAM (512.0 MiB reserved), 2.0 GiB swap, 0 B of it free
          zones    NUMA  ZONE           FREE    TO KEEP  LARGEST BLOCK  FOR THIS ALLOCATION
                      0  DMA        15.0 MiB   61.8 MiB  4.0 MiB        short
                      0  DMA32      58.0 MiB   61.8 MiB  128.0 KiB      short
                      0  Normal     36.0 MiB   37.0 MiB  4.0 KiB        short
          memory   anonymous memory           13.0 GiB   84 %  ████████████████████
                   tmpfs and shared memory    60.0 MiB  < 1 %
                   page cache                 40.0 MiB  < 1 %
                   slab                      100.0 MiB    1 %
                   unreclaimable slab        600.0 MiB    4 %  █
                   page tables                80.0 MiB    1 %
                   kernel stacks              20.0 MiB  < 1 %
                   huge pages                  1.0 GiB    6 %  ██
                   free                      110.0 MiB    1 %
                   in swap                     2.0 GiB
          slab     kmalloc-64 300.0 MiB
          tasks                 PID  NAME               RESIDENT   SHARE    IN SWAP     ADJ
                   killed       815  chrome              6.0 GiB    39 %        0 B     300
                                  1  worker-1          599.0 MiB     4 %    1.0 MiB       0
                                  2  worker-2          598.0 MiB     4 %    1.0 MiB       0
                                  3  worker-3          597.0 MiB     4 %    1.0 MiB       0
                                  4  worker-4          596.0 MiB     4 %    1.0 MiB       0
                                  5  worker-5          595.0 MiB     4 %    1.0 MiB       0
                                  6  worker-6          594.0 MiB     4 %    1.0 MiB       0
                                  7  worker-7          593.0 MiB     4 %    1.0 MiB       0
                                  8  worker-8          592.0 MiB     4 %    1.0 MiB       0
                                  9  worker-9          591.0 MiB     4 %    1.0 MiB       0
                            and 91 others
          trigger  sed (29481) asked for 1 page (order 0, 4.0 KiB), gfp 0x201da GFP_HIGHUSER_MOVABLE |
                   __GFP_COLD
          kernel   3.10.0-514.6.1.el7.x86_64

        """, text(analyzed("12345.678901", 3, Reports.node())));
    }

    @Test
    void aGroupOfWhichOnlyTheKillsAreThere() {
        OomKillEvent.Builder first = Reports.tail(11, "init");
        OomKillEvent.Builder second = Reports.tail(12, "nginx");
        first.getIncidentBuilder().setGroupKill(true).setKillsSoFar(2);
        second.getIncidentBuilder().setGroupKill(true).setKillsSoFar(2);
        assertEquals("""
        OOM, line 1, memory cgroup: killed init (11), nginx (12)
          The kernel killed init (pid 11), which held 20.0 MiB, and 1 more of its cgroup (memory.oom.group)
          because a memory cgroup reached its memory limit.
          to do    - Unset memory.oom.group (kubelet's singleProcessOOMKill) if the others could go on
                     without the victim: 2 processes were killed together
          killed   init (11)                  20.0 MiB
                   nginx (12)                 20.0 MiB
          missing  who asked for memory, whose limit it was, the limit's size, where the memory was, the
                   task table

        """, text(analyzed("", 1, first, second)));
    }

    @Test
    void aHeadWhoseVersionIsNotKnown() {
        OomKillEvent.Builder event =
                OomKillEvent.newBuilder().setScope(Scope.UNKNOWN).setOutcome(Outcome.KILL_NOT_SEEN);
        event.getIncidentBuilder()
                .getTriggerBuilder()
                .setComm("sshd")
                .setGfpMask("0x2000d0")
                .setOrder(1);
        assertEquals("""
        OOM, line 7: kill not seen
          The OOM killer ran when sshd asked for memory; the log does not say whom it killed.
          trigger  sshd asked for 2 pages (order 1), gfp 0x2000d0 (not decoded, for the bits of this kernel
                   are not known)
          missing  what ran out, the kill, where the memory was, the task table, 70 reports before this,
                   left out by the kernel

        """, text(new AnalyzedIncident(analyzed("", 7, event).events(), "", 7, 9, 70)));
    }

    /** A name that a process gave itself does not reach the terminal as it is. */
    @Test
    void controlCharactersAreShown() {
        assertTrue(text(analyzed("", 1, Reports.tail(5, "\033[2J"))).lines().noneMatch(line -> line.contains("\033")));
    }

    @Test
    void noLineIsLongerThanAHundredColumns() {
        for (OomKillEvent.Builder event : List.of(Reports.pod(), Reports.node(), Reports.tail(1, "a"))) {
            event.setScope(Scope.MEMCG).getIncidentBuilder().getLimitBuilder().setCgroup("/" + "long-name/".repeat(40));
            event.getIncidentBuilder().getTriggerBuilder().setGfpMask("0xcc0(" + "GFP_KERNEL|".repeat(30) + ")");
            text(analyzed("", 1, event)).lines().forEach(line -> assertTrue(line.length() <= 100, line));
        }
    }
}
