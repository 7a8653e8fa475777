package dev.exit137.oomreport.parse;

import java.util.List;

/** One line of every form that the parser knows, each as a kernel prints it, some with names made to confuse. */
final class Forms {
    static final String KILLED_TAIL = " total-vm:7169492kB, anon-rss:7165824kB, file-rss:956kB, shmem-rss:4kB, UID:33 "
            + "pgtables:14076kB oom_score_adj:-997";

    static final List<String> LINES = List.of(
            "runc:[2:INIT] invoked oom-killer: gfp_mask=0x500cc2(GFP_HIGHUSER|__GFP_ACCOUNT), order=0, oom_score_adj=-999",
            "node invoked oom-killer: gfp_mask=0x14000c0(GFP_KERNEL), nodemask=(null),  order=3, oom_score_adj=0",
            "node invoked oom-killer: gfp_mask=0x14000c0(GFP_KERNEL), nodemask=0,2-3, order=-1, oom_score_adj=1000",
            "sshd invoked oom-killer: gfp_mask=0x201da, order=0, oom_adj=-17, oom_score_adj=-1000",
            "httpd invoked oom-killer: gfp_mask=0x1201d2, order=0, oom_adj=0",
            "mysqld invoked oom-killer: gfp_mask=0x1201d2, order=1, oomkilladj=-17",
            "mem_on_node0 invoked oom-killer",
            "CPU 0/KVM cpuset=vcpu0 mems_allowed=0-1,3",
            "Pid: 24113, comm: sshd Not tainted 2.6.32-431.11.2.el6.x86_64 #1",
            "CPU: 48 UID: 1000 PID: 6788 Comm: CPU 0/KVM Tainted: G        W          6.16.0-rc5 #1",
            "CPU: 1 PID: 6736 Comm: leaker Kdump: loaded Not tainted 5.3.0-rc3+ #936",
            "memory: usage 53824kB, limit 102400kB, failcnt 20427",
            "swap: usage 2112kB, limit 0kB, failcnt 12",
            "memory+swap: usage 16316kB, limit 9007199254740988kB, failcnt 15",
            "kmem: usage 124kB, limit 9007199254740988kB, failcnt 3",
            "Task in /lxc/a b/c killed as a result of limit of /lxc/a b",
            "Task in / killed as a result of limit of /lxc/VM_A",
            "Memory limit reached of cgroup /syz0",
            "Memory cgroup stats for /lxc/VM_A: cache:18092KB rss:34988KB rss_huge:14336KB swap:0KB",
            "Memory cgroup stats for /leaker:",
            "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=a-b,mems_allowed=0-1,oom_memcg=/lxc/39004,"
                    + "task_memcg=/lxc/39004/ns,task=php-fpm,pid=3902942,uid=1000",
            "oom-kill:constraint=CONSTRAINT_NONE,nodemask=0-3,cpuset=/,mems_allowed=0,global_oom,task_memcg=/a/b,"
                    + "task=dhclient,pid=4526,uid=1000",
            "oom-kill:constraint=C,nodemask=0,2,cpuset=a,b,mems_allowed=,oom_memcg=/a,task_memcg=/b,task=a,task=b,"
                    + "pid=1,uid=2",
            "oom-kill:constraint=C,nodemask=(null),oom_memcg=/u/a,task_memcg=/b,task_memcg=/u/a,task_memcg=/b/c,task=x,"
                    + "pid=7,uid=0",
            "Memory cgroup out of memory: Killed process 7788 (bash)" + KILLED_TAIL,
            "Out of memory (oom_kill_allocating_task): Killed process 7788 (a) (b)" + KILLED_TAIL,
            "Killed process 7788 () total-vm:1kB,)" + KILLED_TAIL,
            "Killed process 13550, UID 500, (java) total-vm:12466024kB, anon-rss:7625016kB, file-rss:2608kB",
            "Killed process 23316 (postgres), UID 101, total-vm:8221844kB, anon-rss:1195384kB, file-rss:19160kB",
            "Killed process 2603 (flasherav) vsz:170588kB, anon-rss:39468kB, file-rss:112kB",
            "Killed process 3956 (a) .out)",
            "Out of Memory: Killed process 3956 (a.out).",
            "Out of memory: Killed process 10018, UID 99, (httpd).",
            "Out of memory: Kill process 3882 () score 1) score 623 or sacrifice child",
            "Memory cgroup out of memory: Kill process 13431 (java) score 1894 or sacrifice child",
            "No available memory (MPOL_BIND): kill process 1503 (numa) score 12 or a child",
            "No available memory in cpuset: kill process 1503 (numa) score 12 or a child",
            "Memory cgroup out of memory: OOM victim 4711 (stress) is already exiting. Skip killing the task",
            "Tasks in /kubepods.slice/a are going to be killed due to memory.oom.group set",
            "oom_reaper: reaped process 1452 (systemd-journal), now anon-rss:0kB, file-rss:8564kB, shmem-rss:4kB",
            "Out of memory and no killable processes...",
            "Memory cgroup out of memory and no killable processes...",
            "Kernel panic - not syncing: System is deadlocked on memory",
            "Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled",
            "Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled",
            "Kernel panic - not syncing: out of memory(memcg). panic_on_oom is selected.",
            "Kernel panic - not syncing: Out of memory and no killable processes...",
            "oom_kill_process: 70 callbacks suppressed",
            "dump_header: 3 callbacks suppressed");

    private Forms() {}
}
