package dev.exit137.oomreport.parse;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.oomreport.parse.OomLine.Kind;
import dev.exit137.oomreport.parse.OomLine.Wording;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A process may call itself anything of 15 bytes, and a user may name cgroups of its own. */
class HostileNamesTest {

    @ParameterizedTest
    @ValueSource(
            strings = {
                "a) (b",
                "((sd-pam))",
                "(",
                ")",
                " ",
                "",
                "100%",
                "fifteen_bytes__",
                "x,task=y,pid=1",
                "a,pid=1,uid=22",
                ",task=,task=",
                "a,task_memcg=/z",
                ",pid=1,uid=2",
                "oom-kill:",
                ") total-vm:1kB",
                ") total-vm:1kB,",
                "), UID 1, ",
                "), now anon-rss",
                ": Killed proces",
                "Killed process ",
                "Out of memory: ",
                "CPU: 1 PID: 7",
                " invoked oom-ki",
                "Tasks in ",
                " Not tainted ",
                "x Tainted: y",
                "swap: usage 1kB",
                ") score 5 or a ",
                " cpu set=",
                ". ) total-vm",
                ")."
            })
    void aNameDoesNotChangeWhatTheLinesSay(String comm) {
        assertThat(Fields.parse(comm + " invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=7"))
                .isEqualTo(withComm(
                        comm, "kind", Kind.INVOKED, "gfpMask", "0xcc0(GFP_KERNEL)", "order", 0L, "oomScoreAdj", 7L));
        assertThat(Fields.parse("CPU: 0 UID: 9 PID: 686 Comm: " + comm + " Not tainted 6.12.0 #1"))
                .isEqualTo(withComm(comm, "kind", Kind.TRIGGER_CPU, "cpu", 0L, "uid", 9L, "pid", 686L));
        assertThat(Fields.parse(
                        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/p,task_memcg=/p/c,task=" + comm
                                + ",pid=686,uid=8"))
                .isEqualTo(withComm(
                        comm,
                        "kind",
                        Kind.SUMMARY,
                        "constraint",
                        "CONSTRAINT_MEMCG",
                        "oomMemcg",
                        "/p",
                        "taskMemcg",
                        "/p/c",
                        "pid",
                        686L,
                        "uid",
                        8L));
        assertThat(Fields.parse("Killed process 686 (" + comm + ") total-vm:8kB, anon-rss:4kB, file-rss:0kB"))
                .isEqualTo(withComm(
                        comm,
                        "kind",
                        Kind.KILLED,
                        "pid",
                        686L,
                        "totalVmBytes",
                        8192L,
                        "anonRssBytes",
                        4096L,
                        "fileRssBytes",
                        0L));
        assertThat(Fields.parse("Killed process 686 (" + comm + ")"))
                .isEqualTo(withComm(comm, "kind", Kind.KILLED, "pid", 686L));
        assertThat(Fields.parse("Killed process 686, UID 5, (" + comm + ") vsz:8kB, anon-rss:4kB, file-rss:0kB"))
                .isEqualTo(withComm(
                        comm,
                        "kind",
                        Kind.KILLED,
                        "pid",
                        686L,
                        "uid",
                        5L,
                        "totalVmBytes",
                        8192L,
                        "anonRssBytes",
                        4096L,
                        "fileRssBytes",
                        0L));
        assertThat(Fields.parse("Out of memory: Kill process 686 (" + comm + ") score 9 or sacrifice child"))
                .isEqualTo(withComm(comm, "kind", Kind.CHOSEN, "wording", Wording.NODE, "pid", 686L, "oomScore", 9L));
        assertThat(Fields.parse("Memory cgroup out of memory: OOM victim 686 (" + comm + ") is already exiting. Skip "
                        + "killing the task"))
                .isEqualTo(withComm(comm, "kind", Kind.ALREADY_EXITING, "wording", Wording.MEMCG, "pid", 686L));
        assertThat(Fields.parse(comm + " cpuset=a b mems_allowed=0-1,3"))
                .isEqualTo(withComm(comm, "kind", Kind.CPUSET, "cpuset", "a b", "memsAllowed", "0-1,3"));
        assertThat(Fields.parse("Pid: 686, comm: " + comm + " Tainted: G           ---------------    2.6.32 #1"))
                .isEqualTo(withComm(comm, "kind", Kind.TRIGGER_CPU, "pid", 686L));
        assertThat(Fields.parse("oom_reaper: reaped process 686 (" + comm + "), now anon-rss:0kB, file-rss:4kB"))
                .isEqualTo(withComm(comm, "kind", Kind.REAPED, "pid", 686L, "anonRssBytes", 0L, "fileRssBytes", 4096L));
    }

    @Test
    void fifteenBytesOfUtf8AreSixtyInTheRecord() {
        String escaped = "\\xe6\\x97\\xa5\\xe6\\x9c\\xac\\xe8\\xaa\\x9e\\xe3\\x81\\xa7\\xe3\\x81\\x99";

        assertThat(Fields.parse(escaped + " invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"))
                .containsEntry("comm", "\u65e5\u672c\u8a9e\u3067\u3059");
        assertThat(Fields.parse("oom-kill:constraint=C,nodemask=(null),oom_memcg=/p,task_memcg=/p,task=" + escaped
                        + ",pid=5,uid=0"))
                .containsEntry("comm", "\u65e5\u672c\u8a9e\u3067\u3059")
                .containsEntry("pid", 5L);
    }

    @Test
    void commasAndKeysInTheNamesOfCgroupsStayInTheirPaths() {
        String oomMemcg = "/u=1/a,task_memcg=/b,pid=7";
        String taskMemcg = oomMemcg + "/global_oom,oom_memcg=,task=0123456789abcdef";

        assertThat(Fields.parse("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=a,mems_allowed=x,"
                        + "mems_allowed=0,oom_memcg=" + oomMemcg + ",task_memcg=" + taskMemcg + ",task=x,pid=5,uid=0"))
                .isEqualTo(Map.of(
                        "kind",
                        Kind.SUMMARY,
                        "constraint",
                        "CONSTRAINT_MEMCG",
                        "cpuset",
                        "a,mems_allowed=x",
                        "memsAllowed",
                        "0",
                        "oomMemcg",
                        oomMemcg,
                        "taskMemcg",
                        taskMemcg,
                        "comm",
                        "x",
                        "pid",
                        5L,
                        "uid",
                        0L));
    }

    @Test
    void aCgroupNamedLikeTheEndOfTheSummaryDoesNotPutTheKillIntoAnotherCgroup() {
        String mine = "/user.slice/me,mems_allowed=0,global_oom,task_memcg=/kubepods/victim";

        assertThat(Fields.parse(
                        "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
                                + "task_memcg=" + mine + ",task=x,pid=5,uid=1000"))
                .containsEntry("taskMemcg", mine);
        assertThat(Fields.parse(
                        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=" + mine
                                + ",task_memcg=" + mine + ",task=x,pid=5,uid=1000"))
                .containsEntry("taskMemcg", mine)
                .containsEntry("oomMemcg", mine);
    }

    @Test
    void theWordsOfAnOldKernelInTheNamesOfCgroupsStayInTheirPaths() {
        String root = "/u killed as a result of limit of /kubepods";

        assertThat(Fields.parse("Task in " + root + "/a killed as a result of limit of " + root))
                .isEqualTo(Map.of("kind", Kind.TASK_IN, "taskMemcg", root + "/a", "oomMemcg", root));
        assertThat(Fields.parse("Memory cgroup stats for /a: b:"))
                .isEqualTo(Map.of("kind", Kind.MEMCG_STATS, "oomMemcg", "/a: b"));
        assertThat(Fields.parse("Memory cgroup stats for /a: cache:x: cache:4KB rss:0KB"))
                .isEqualTo(Map.of("kind", Kind.MEMCG_STATS, "oomMemcg", "/a: cache:x"));
    }

    @Test
    void theLimitOfTheRootIsAboveEveryCgroup() {
        assertThat(Fields.parse("oom-kill:constraint=C,nodemask=(null),oom_memcg=/,task_memcg=/a,task=x,pid=5,uid=0"))
                .containsEntry("oomMemcg", "/")
                .containsEntry("taskMemcg", "/a");
    }

    @Test
    void aVictimThatWasMovedOutOfTheLimitedCgroupKeepsBothPaths() {
        assertThat(Fields.parse("oom-kill:constraint=C,nodemask=(null),oom_memcg=/a,task_memcg=/b,task=x,pid=5,uid=0"))
                .containsEntry("oomMemcg", "/a")
                .containsEntry("taskMemcg", "/b");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "input: x invoked oom-killer: gfp_mask=0x0(), order=0, oom_score_adj=0 as /devices/virtual/input/input5",
                "usb 1-1: Product: x invoked oom-killer: gfp_mask=0x0(), order=0, oom_score_adj=0",
                "usb 1-1: Product: Out of memory: Killed process 1 (x) total-vm:8kB, anon-rss:4kB, file-rss:0kB",
                "input: Killed process 1 (x) total-vm:8kB, anon-rss:4kB, file-rss:0kB as /devices/virtual/input/input5",
                "Kyber: Killed process 1 (x) total-vm:8kB, anon-rss:4kB, file-rss:0kB",
                "Killed process[12]: segfault at 0 ip 0 sp 0 error 4",
                "Tasks in : segfault at 0",
                "memory: usage (1): drop_caches: 3",
                "Kill process 3781 (rcu-stall) sharing same memory",
                "Huh VM_FAULT_OOM leaked out to the #PF handler. Retrying PF",
                "usb 1-1: Product: x invoked oom-killer",
                "usb 1-1: Product: x cpuset=/ mems_allowed=0",
                "swapper/0: page allocation failure: order:1, mode:0xcc1(GFP_KERNEL), nodemask=(null),cpuset=/,mems_allowed=0",
                "Out of memory: usb 1-1: Killed process 1 (x) total-vm:8kB, anon-rss:4kB, file-rss:0kB",
                "Out of memory: Kill process",
                "Out of memory",
                "Task in /a killed",
                "Memory cgroup stats",
                "Pid: 1",
                "Kernel panic - not syncing: Out of memory: no room for the page table",
                "Killed process 472",
                "Memory cgroup min protection 0kB -- low protection 0kB",
                "oom_reaper: unable to reap pid:7558 (a.out)",
                "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000007",
                "---[ end Kernel panic - not syncing: System is deadlocked on memory ]---",
                "warn_alloc: 47 callbacks suppressed",
                "pagefault_out_of_memory: 4055 callbacks suppressed",
                "OOM killer disabled.",
                "oom-kill:",
                ""
            })
    void theKernelsOtherLinesAreNone(String message) {
        assertThat(Fields.parse(message)).isEqualTo(Map.of("kind", Kind.NONE));
    }

    private static Map<String, Object> withComm(String comm, Object... others) {
        Map<String, Object> fields = new HashMap<>();
        for (int i = 0; i < others.length; i += 2) {
            fields.put((String) others[i], others[i + 1]);
        }
        if (!comm.isEmpty()) {
            fields.put("comm", comm);
        }
        return fields;
    }
}
