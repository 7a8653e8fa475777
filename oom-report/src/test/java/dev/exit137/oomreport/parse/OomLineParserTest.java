package dev.exit137.oomreport.parse;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.oomreport.parse.OomLine.Kind;
import dev.exit137.oomreport.parse.OomLine.Wording;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every line of a report, as kernels print it, with all that it says. */
class OomLineParserTest {

    @Test
    void theTriggerAsItAsksForMemory() {
        assertThat(Fields.parse(
                        "runc:[2:INIT] invoked oom-killer: gfp_mask=0x500cc2(GFP_HIGHUSER|__GFP_ACCOUNT), order=0, "
                                + "oom_score_adj=-999"))
                .isEqualTo(Map.of(
                        "kind",
                        Kind.INVOKED,
                        "comm",
                        "runc:[2:INIT]",
                        "gfpMask",
                        "0x500cc2(GFP_HIGHUSER|__GFP_ACCOUNT)",
                        "order",
                        0L,
                        "oomScoreAdj",
                        -999L));
    }

    @Test
    void theTriggerOfSysrqHasOrderMinusOne() {
        assertThat(Fields.parse(
                        "kworker/0:2 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=-1, oom_score_adj=0"))
                .containsEntry("order", -1L);
    }

    @Test
    void kernelsBefore5PrintTheNodemaskBetweenMaskAndOrder() {
        assertThat(Fields.parse("node invoked oom-killer: gfp_mask=0x14000c0(GFP_KERNEL), nodemask=(null),  order=3, "
                        + "oom_score_adj=0"))
                .isEqualTo(Map.of(
                        "kind",
                        Kind.INVOKED,
                        "comm",
                        "node",
                        "gfpMask",
                        "0x14000c0(GFP_KERNEL)",
                        "order",
                        3L,
                        "oomScoreAdj",
                        0L));
    }

    @Test
    void aNodemaskConfinesTheAllocationToNodes() {
        assertThat(Fields.parse("a.out invoked oom-killer: gfp_mask=0x14280ca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO), "
                        + "nodemask=0,2-3, order=0, oom_score_adj=0"))
                .isEqualTo(Map.of(
                        "kind",
                        Kind.INVOKED,
                        "comm",
                        "a.out",
                        "gfpMask",
                        "0x14280ca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO)",
                        "nodemask",
                        "0,2-3",
                        "order",
                        0L,
                        "oomScoreAdj",
                        0L));
    }

    @ParameterizedTest
    @ValueSource(strings = {"oomkilladj=0", "oom_adj=-17"})
    void kernelsBefore2636HaveAnotherScaleForTheAdjustment(String adj) {
        assertThat(Fields.parse("mysqld invoked oom-killer: gfp_mask=0x1201d2, order=0, " + adj))
                .isEqualTo(Map.of("kind", Kind.INVOKED, "comm", "mysqld", "gfpMask", "0x1201d2", "order", 0L));
    }

    @Test
    void laterOnesHaveBoth() {
        assertThat(Fields.parse("sshd invoked oom-killer: gfp_mask=0x201da, order=0, oom_adj=-17, oom_score_adj=-1000"))
                .containsEntry("kind", Kind.INVOKED)
                .containsEntry("oomScoreAdj", -1000L);
    }

    @Test
    void aTriggerThatSomebodyQuotedWithoutItsFields() {
        assertThat(Fields.parse("mem_on_node0 invoked oom-killer"))
                .isEqualTo(Map.of("kind", Kind.INVOKED, "comm", "mem_on_node0"));
    }

    @Test
    void theCpusetOfTheTrigger() {
        assertThat(Fields.parse("CPU 0/KVM cpuset=vcpu 0 mems_allowed=0-1,3"))
                .isEqualTo(
                        Map.of("kind", Kind.CPUSET, "comm", "CPU 0/KVM", "cpuset", "vcpu 0", "memsAllowed", "0-1,3"));
    }

    @Test
    void oldKernelsPrintThePidOfTheTriggerWithoutItsProcessor() {
        assertThat(Fields.parse("Pid: 24113, comm: sshd Not tainted 2.6.32-431.11.2.el6.x86_64 #1"))
                .isEqualTo(Map.of("kind", Kind.TRIGGER_CPU, "pid", 24113L, "comm", "sshd"));
    }

    @Test
    void theCgroupOfTheChosenAndTheOneWhoseLimitWasHitBefore5() {
        assertThat(Fields.parse("Task in /lxc/a/system.slice/lxd.service killed as a result of limit of /lxc/a"))
                .isEqualTo(Map.of(
                        "kind", Kind.TASK_IN, "taskMemcg", "/lxc/a/system.slice/lxd.service", "oomMemcg", "/lxc/a"));
        assertThat(Fields.parse("Task in /kubepods/pod1/c killed as a result of limit of /kubepods/pod1   "))
                .isEqualTo(Map.of("kind", Kind.TASK_IN, "taskMemcg", "/kubepods/pod1/c", "oomMemcg", "/kubepods/pod1"));
        assertThat(Fields.parse("Memory limit reached of cgroup /syz0"))
                .isEqualTo(Map.of("kind", Kind.TASK_IN, "oomMemcg", "/syz0"));
    }

    @Test
    void theCgroupThatTheStatisticsAreOf() {
        assertThat(Fields.parse("Memory cgroup stats for /kubepods/pod1:"))
                .isEqualTo(Map.of("kind", Kind.MEMCG_STATS, "oomMemcg", "/kubepods/pod1"));
        assertThat(Fields.parse("Memory cgroup stats for /lxc/VM_A: cache:18092KB rss:34988KB rss_huge:14336KB"))
                .isEqualTo(Map.of("kind", Kind.MEMCG_STATS, "oomMemcg", "/lxc/VM_A"));
    }

    @Test
    void theProcessorAndPidOfTheTrigger() {
        assertThat(Fields.parse("CPU: 3 PID: 23793 Comm: leaker Not tainted 5.2.0-rc7 #54"))
                .isEqualTo(Map.of("kind", Kind.TRIGGER_CPU, "cpu", 3L, "pid", 23793L, "comm", "leaker"));
        assertThat(Fields.parse("CPU: 1 PID: 6736 Comm: leaker Kdump: loaded Not tainted 5.3.0-rc3+ #936"))
                .isEqualTo(Map.of("kind", Kind.TRIGGER_CPU, "cpu", 1L, "pid", 6736L, "comm", "leaker"));
    }

    @Test
    void kernelsSince611PrintTheUserOfTheTriggerToo() {
        assertThat(Fields.parse(
                        "CPU: 48 UID: 1000 PID: 6788 Comm: CPU 0/KVM Tainted: G        W          6.16.0-rc5 #1"))
                .isEqualTo(
                        Map.of("kind", Kind.TRIGGER_CPU, "cpu", 48L, "uid", 1000L, "pid", 6788L, "comm", "CPU 0/KVM"));
    }

    @Test
    void theMemoryOfTheCgroupWhoseLimitWasHit() {
        assertThat(Fields.parse("memory: usage 53824kB, limit 102400kB, failcnt 20427"))
                .isEqualTo(Map.of(
                        "kind",
                        Kind.MEMORY_USAGE,
                        "usageBytes",
                        55115776L,
                        "limitBytes",
                        104857600L,
                        "failcnt",
                        20427L));
    }

    @Test
    void itsSwapOnCgroupV2AndItsMemoryPlusSwapOnV1() {
        assertThat(Fields.parse("swap: usage 2112kB, limit 0kB, failcnt 0"))
                .isEqualTo(Map.of("kind", Kind.SWAP_USAGE, "usageBytes", 2162688L, "limitBytes", 0L, "failcnt", 0L));
        assertThat(Fields.parse("memory+swap: usage 16316kB, limit 16384kB, failcnt 15"))
                .isEqualTo(Map.of(
                        "kind",
                        Kind.SWAP_USAGE,
                        "memoryPlusSwap",
                        true,
                        "usageBytes",
                        16707584L,
                        "limitBytes",
                        16777216L,
                        "failcnt",
                        15L));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "9007199254740988",
                "9007199254740976",
                "9007199254740928",
                "9007199254740991",
                "18014398509481983"
            })
    void aPageCounterThatIsFullIsNoLimitWhateverThePageSize(String kb) {
        assertThat(Fields.parse("memory: usage 42240kB, limit " + kb + "kB, failcnt 0"))
                .containsEntry("limitBytes", OomLine.UNLIMITED)
                .containsEntry("failcnt", 0L);
    }

    @Test
    void theLargestLimitThatIsOneIsNotTakenForNone() {
        assertThat(Fields.parse("memory: usage 4kB, limit 9007199254740000kB, failcnt 0"))
                .containsEntry("limitBytes", 9007199254740000L << 10);
    }

    @Test
    void itsKernelMemoryWhichMayHaveALimitOfItsOwn() {
        assertThat(Fields.parse("kmem: usage 124kB, limit 9007199254740988kB, failcnt 3"))
                .isEqualTo(Map.of(
                        "kind",
                        Kind.KMEM_USAGE,
                        "usageBytes",
                        126976L,
                        "limitBytes",
                        OomLine.UNLIMITED,
                        "failcnt",
                        3L));
    }

    @Test
    void theSummaryOfAMemcgOom() {
        assertThat(Fields.parse("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=docker-a59e.scope,"
                        + "mems_allowed=0-1,oom_memcg=/lxc/39004,task_memcg=/lxc/39004/ns/docker-a59e.scope,task=php-fpm,pid=3902942,"
                        + "uid=1000"))
                .isEqualTo(Map.of(
                        "kind",
                        Kind.SUMMARY,
                        "constraint",
                        "CONSTRAINT_MEMCG",
                        "cpuset",
                        "docker-a59e.scope",
                        "memsAllowed",
                        "0-1",
                        "oomMemcg",
                        "/lxc/39004",
                        "taskMemcg",
                        "/lxc/39004/ns/docker-a59e.scope",
                        "comm",
                        "php-fpm",
                        "pid",
                        3902942L,
                        "uid",
                        1000L));
    }

    @Test
    void theSummaryOfAGlobalOomNamesTheVictimsCgroupAndNoOtherLimit() {
        assertThat(Fields.parse(
                        "oom-kill:constraint=CONSTRAINT_MEMORY_POLICY,nodemask=0,2-3,cpuset=/,mems_allowed=0-1,3,"
                                + "global_oom,task_memcg=/,task=dhclient,pid=4526,uid=4294967294"))
                .isEqualTo(Map.of(
                        "kind",
                        Kind.SUMMARY,
                        "constraint",
                        "CONSTRAINT_MEMORY_POLICY",
                        "nodemask",
                        "0,2-3",
                        "cpuset",
                        "/",
                        "memsAllowed",
                        "0-1,3",
                        "globalOom",
                        true,
                        "taskMemcg",
                        "/",
                        "comm",
                        "dhclient",
                        "pid",
                        4526L,
                        "uid",
                        4294967294L));
    }

    @Test
    void theSummaryOfAKernelWithoutMemcgsHasNeither() {
        assertThat(Fields.parse("oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,"
                        + "task=dbus-daemon,pid=454,uid=101"))
                .isEqualTo(Map.of(
                        "kind",
                        Kind.SUMMARY,
                        "constraint",
                        "CONSTRAINT_NONE",
                        "cpuset",
                        "/",
                        "memsAllowed",
                        "0",
                        "comm",
                        "dbus-daemon",
                        "pid",
                        454L,
                        "uid",
                        101L));
    }

    @Test
    void theSummaryOfAKernelWithoutCpusetsHasNoCpuset() {
        assertThat(Fields.parse(
                        "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),global_oom,task_memcg=/,task=polkitd,"
                                + "pid=268,uid=998"))
                .isEqualTo(Map.of(
                        "kind",
                        Kind.SUMMARY,
                        "constraint",
                        "CONSTRAINT_NONE",
                        "globalOom",
                        true,
                        "taskMemcg",
                        "/",
                        "comm",
                        "polkitd",
                        "pid",
                        268L,
                        "uid",
                        998L));
    }

    @Test
    void aConstraintThatNobodyKnowsYetIsKept() {
        assertThat(Fields.parse("oom-kill:constraint=CONSTRAINT_BPF_PSI_MEM,nodemask=(null),cpuset=/,mems_allowed=0,"
                        + "oom_memcg=/a,task_memcg=/a,task=x,pid=675,uid=0"))
                .containsEntry("constraint", "CONSTRAINT_BPF_PSI_MEM")
                .containsEntry("pid", 675L);
    }

    @Test
    void aKillInAMemcg() {
        assertThat(
                        Fields.parse(
                                "Memory cgroup out of memory: Killed process 7788 (bash) total-vm:7169492kB, "
                                        + "anon-rss:7165824kB, file-rss:956kB, shmem-rss:4kB, UID:33 pgtables:14076kB oom_score_adj:-997"))
                .isEqualTo(Map.ofEntries(
                        Map.entry("kind", Kind.KILLED),
                        Map.entry("wording", Wording.MEMCG),
                        Map.entry("pid", 7788L),
                        Map.entry("comm", "bash"),
                        Map.entry("uid", 33L),
                        Map.entry("totalVmBytes", 7341559808L),
                        Map.entry("anonRssBytes", 7337803776L),
                        Map.entry("fileRssBytes", 978944L),
                        Map.entry("shmemRssBytes", 4096L),
                        Map.entry("pgtablesBytes", 14413824L),
                        Map.entry("oomScoreAdj", -997L)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"Out of memory", "Out of memory (oom_kill_allocating_task)"})
    void aKillOnANodeWithoutMemory(String message) {
        assertThat(Fields.parse(
                        message + ": Killed process 5 (x) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, "
                                + "UID:0 pgtables:4kB oom_score_adj:0"))
                .containsEntry("kind", Kind.KILLED)
                .containsEntry("pid", 5L)
                .containsEntry("wording", Wording.NODE);
    }

    @Test
    void kernelsBefore54KeepTheUserToThemselvesAndBefore51TheMessageToo() {
        assertThat(Fields.parse("Memory cgroup out of memory: Killed process 9188 (a.out) total-vm:8kB, anon-rss:4kB, "
                        + "file-rss:0kB, shmem-rss:0kB"))
                .isEqualTo(Map.of(
                        "kind",
                        Kind.KILLED,
                        "wording",
                        Wording.MEMCG,
                        "pid",
                        9188L,
                        "comm",
                        "a.out",
                        "totalVmBytes",
                        8192L,
                        "anonRssBytes",
                        4096L,
                        "fileRssBytes",
                        0L,
                        "shmemRssBytes",
                        0L));
        assertThat(Fields.parse("Killed process 472 (askfirst) total-vm:904kB, anon-rss:28kB, file-rss:0kB, "
                        + "shmem-rss:0kB"))
                .isEqualTo(Map.of(
                        "kind",
                        Kind.KILLED,
                        "pid",
                        472L,
                        "comm",
                        "askfirst",
                        "totalVmBytes",
                        925696L,
                        "anonRssBytes",
                        28672L,
                        "fileRssBytes",
                        0L,
                        "shmemRssBytes",
                        0L));
    }

    @Test
    void olderOnesSayVszOrNoSizesAtAll() {
        assertThat(Fields.parse("Killed process 2603 (flasherav) vsz:170588kB, anon-rss:39468kB, file-rss:112kB"))
                .isEqualTo(Map.of(
                        "kind",
                        Kind.KILLED,
                        "pid",
                        2603L,
                        "comm",
                        "flasherav",
                        "totalVmBytes",
                        170588L << 10,
                        "anonRssBytes",
                        39468L << 10,
                        "fileRssBytes",
                        112L << 10));
        assertThat(Fields.parse("Killed process 3956 (a.out)"))
                .isEqualTo(Map.of("kind", Kind.KILLED, "pid", 3956L, "comm", "a.out"));
        assertThat(Fields.parse("Out of Memory: Killed process 3956 (a.out)."))
                .isEqualTo(Map.of("kind", Kind.KILLED, "wording", Wording.NODE, "pid", 3956L, "comm", "a.out"));
        assertThat(Fields.parse("Out of memory: Killed process 10018, UID 99, (httpd)."))
                .containsEntry("pid", 10018L)
                .containsEntry("uid", 99L)
                .containsEntry("comm", "httpd");
    }

    @Test
    void theChosenOneIsNotKilledYet() {
        assertThat(Fields.parse("Out of memory: Kill process 3882 (python) score 623 or sacrifice child"))
                .isEqualTo(Map.of(
                        "kind",
                        Kind.CHOSEN,
                        "wording",
                        Wording.NODE,
                        "pid",
                        3882L,
                        "comm",
                        "python",
                        "oomScore",
                        623L));
        assertThat(Fields.parse("Memory cgroup out of memory: Kill process 5 (x) score 1894 or sacrifice child"))
                .containsEntry("kind", Kind.CHOSEN)
                .containsEntry("wording", Wording.MEMCG)
                .containsEntry("oomScore", 1894L);
        assertThat(Fields.parse("Out of Memory: Kill process 5 (x) score 7 and children."))
                .containsEntry("kind", Kind.CHOSEN)
                .containsEntry("wording", Wording.NODE)
                .containsEntry("oomScore", 7L);
    }

    @Test
    void before2636TheWordsSayWhetherAPolicyOrACpusetHasRunOut() {
        assertThat(Fields.parse("No available memory (MPOL_BIND): kill process 1503 (numa) score 0 or a child"))
                .isEqualTo(Map.of(
                        "kind",
                        Kind.CHOSEN,
                        "wording",
                        Wording.MEMORY_POLICY,
                        "pid",
                        1503L,
                        "comm",
                        "numa",
                        "oomScore",
                        0L));
        assertThat(Fields.parse("No available memory in cpuset: kill process 1503 (numa) score 0 or a child"))
                .containsEntry("wording", Wording.CPUSET);
    }

    @Test
    void theOneThatWasToBeKilledHasDiedAlready() {
        assertThat(Fields.parse(
                        "Memory cgroup out of memory: OOM victim 4711 (stress) is already exiting. Skip killing "
                                + "the task"))
                .isEqualTo(
                        Map.of("kind", Kind.ALREADY_EXITING, "wording", Wording.MEMCG, "pid", 4711L, "comm", "stress"));
    }

    @Test
    void redHatsKernelsPutTheUserAroundTheName() {
        assertThat(Fields.parse("Killed process 13550, UID 500, (java) total-vm:12466024kB, anon-rss:7625016kB, "
                        + "file-rss:2608kB"))
                .containsEntry("pid", 13550L)
                .containsEntry("uid", 500L)
                .containsEntry("comm", "java");
        assertThat(Fields.parse("Killed process 23316 (postgres), UID 101, total-vm:8221844kB, anon-rss:1195384kB, "
                        + "file-rss:19160kB, shmem-rss:112164kB"))
                .containsEntry("pid", 23316L)
                .containsEntry("uid", 101L)
                .containsEntry("comm", "postgres")
                .containsEntry("shmemRssBytes", 112164L << 10);
    }

    @Test
    void whatALaterKernelAddsToTheKilledLineDoesNotHideTheKill() {
        assertThat(Fields.parse("Out of memory: Killed process 5 (x) total-vm:8kB, anon-rss:4kB, file-rss:0kB, "
                        + "hugetlb-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0 reason:none"))
                .containsEntry("kind", Kind.KILLED)
                .containsEntry("pid", 5L)
                .containsEntry("fileRssBytes", 0L);
    }

    @Test
    void everyProcessOfTheCgroupIsKilled() {
        assertThat(Fields.parse("Tasks in /kubepods.slice/pod 1, are going to be killed due to memory.oom.group set"))
                .isEqualTo(Map.of("kind", Kind.GROUP_KILL, "groupMemcg", "/kubepods.slice/pod 1,"));
    }

    @Test
    void theReaperSaysWhatIsLeft() {
        assertThat(Fields.parse("oom_reaper: reaped process 1452 (systemd-journal), now anon-rss:0kB, file-rss:8564kB, "
                        + "shmem-rss:4kB"))
                .isEqualTo(Map.of(
                        "kind",
                        Kind.REAPED,
                        "pid",
                        1452L,
                        "comm",
                        "systemd-journal",
                        "anonRssBytes",
                        0L,
                        "fileRssBytes",
                        8769536L,
                        "shmemRssBytes",
                        4096L));
    }

    @Test
    void nobodyIsLeftToBeKilled() {
        assertThat(Fields.parse("Out of memory and no killable processes..."))
                .isEqualTo(Map.of("kind", Kind.NO_KILLABLE_PROCESS));
        assertThat(Fields.parse("Memory cgroup out of memory and no killable processes..."))
                .isEqualTo(Map.of("kind", Kind.NO_KILLABLE_PROCESS, "wording", Wording.MEMCG));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "System is deadlocked on memory",
                "Out of memory: system-wide panic_on_oom is enabled",
                "Out of memory and no killable processes...",
                "out of memory. panic_on_oom is selected",
                "out of memory from page fault. panic_on_oom is selected."
            })
    void theKernelPanicsForLackOfMemory(String why) {
        assertThat(Fields.parse("Kernel panic - not syncing: " + why))
                .isEqualTo(Map.of("kind", Kind.PANIC, "wording", Wording.NODE));
    }

    @Test
    void aPanicThatIsCompulsoryDoesNotSayWhatHasRunOut() {
        assertThat(Fields.parse("Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled"))
                .isEqualTo(Map.of("kind", Kind.PANIC));
        assertThat(Fields.parse("Kernel panic - not syncing: out of memory. Compulsory panic_on_oom is selected."))
                .isEqualTo(Map.of("kind", Kind.PANIC));
        assertThat(Fields.parse("Kernel panic - not syncing: out of memory(memcg). panic_on_oom is selected."))
                .isEqualTo(Map.of("kind", Kind.PANIC, "wording", Wording.MEMCG));
    }

    @Test
    void theRateLimitLeftReportsOut() {
        assertThat(Fields.parse("oom_kill_process: 70 callbacks suppressed"))
                .isEqualTo(Map.of("kind", Kind.CALLBACKS_SUPPRESSED, "suppressedCallbacks", 70L));
        assertThat(Fields.parse("dump_header: 1 callbacks suppressed"))
                .isEqualTo(Map.of("kind", Kind.CALLBACKS_SUPPRESSED, "suppressedCallbacks", 1L));
    }

    @Test
    void aRecordOfAnotherFacilityIsReadAllTheSameTheCallerJudgesIt() {
        byte[] record = Records.bytes("12,10,1000,-;Out of memory: Killed process 1 (x) total-vm:1kB, anon-rss:1kB\n");

        assertThat(Fields.parse(record)).containsEntry("kind", Kind.KILLED);
        assertThat(Records.wrap(record).facility()).isEqualTo(1);
    }

    @Test
    void nothingOfALineThatWasTakenForAnotherAtFirstIsLeft() {
        assertThat(Fields.parse("swap: usage 0kB invoked oom-killer: gfp_mask=0x0(), order=5kB, failcnt 0"))
                .isEqualTo(Map.of("kind", Kind.SWAP_USAGE, "usageBytes", 0L));
    }

    @Test
    void nothingOfTheLineBeforeIsLeftInTheNext() {
        OomLine line = new OomLine();
        OomLineParser parser = new OomLineParser();
        parser.parse(
                Records.wrap(Records.of("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
                        + "oom_memcg=/a,task_memcg=/a,task=x,pid=675,uid=0")),
                line);

        parser.parse(Records.wrap(Records.of("Killed process 472")), line);
        assertThat(Fields.of(line)).isEqualTo(Map.of("kind", Kind.NONE));
        parser.parse(Records.wrap(Records.bytes("no record")), line);
        assertThat(Fields.of(line)).isEqualTo(Map.of("kind", Kind.NONE));
    }
}
