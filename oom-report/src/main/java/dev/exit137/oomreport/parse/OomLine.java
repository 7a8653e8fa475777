package dev.exit137.oomreport.parse;

/**
 * The content of one line of an OOM report. {@link OomLineParser} fills one instance again and again; a caller that
 * keeps a value copies it. A number that the line does not have is {@link #ABSENT}, a text is empty. A field counts
 * only when the text after it has been seen, so that a cut line gives no half of a field; numbers at the very end of a
 * line are the exception. Belongs to one thread.
 */
public final class OomLine {
    /** The line does not have that number. */
    public static final long ABSENT = Long.MIN_VALUE;

    /** A limit that is none: 2^64-1 bytes, as an unsigned number. */
    public static final long UNLIMITED = -1;

    /** TASK_COMM_LEN less the closing NUL: no comm is longer, whatever bytes are in it. */
    static final int MAX_COMM_BYTES = 15;

    private static final int MAX_PATH_BYTES = 4096;
    private static final int MAX_NAME_BYTES = 256;

    /** The kind of the line. */
    public enum Kind {
        /** The line is not part of an OOM report, or is of no use here. */
        NONE,
        /**
         * {@code … invoked oom-killer}: comm, gfpMask, nodemask, order, oomScoreAdj of the process that asked for memory.
         */
        INVOKED,
        /**
         * {@code CPU: … PID: …} or {@code Pid: …} of any stack dump: cpu, uid, pid, comm. It is the trigger's only after an
         * INVOKED.
         */
        TRIGGER_CPU,
        /** {@code … cpuset=… mems_allowed=…}: comm, cpuset, memsAllowed; the trigger's only after an INVOKED. */
        CPUSET,
        /** {@code Task in … killed as a result of limit of …}: taskMemcg of the chosen process, and oomMemcg. */
        TASK_IN,
        /** {@code memory: usage …}: usageBytes, limitBytes, failcnt of the cgroup at its limit. */
        MEMORY_USAGE,
        /** {@code swap: usage …}, on v1 {@code memory+swap: usage …} (then memoryPlusSwap): the same three. */
        SWAP_USAGE,
        /** {@code kmem: usage …}: the same three of kernel memory, which may have a limit of its own on v1. */
        KMEM_USAGE,
        /** {@code Memory cgroup stats for …:}: oomMemcg, in a report's first; the ones that follow are of cgroups below. */
        MEMCG_STATS,
        /**
         * {@code oom-kill:…}: constraint, nodemask, cpuset, memsAllowed, globalOom, oomMemcg, taskMemcg, and comm, pid, uid.
         */
        SUMMARY,
        /** {@code … Kill process … score …}: wording, and pid, comm, oomScore of the chosen process; no kill yet. */
        CHOSEN,
        /** {@code … Killed process …}: wording, and pid, comm, uid, sizes, oomScoreAdj of the victim. */
        KILLED,
        /** {@code … OOM victim … is already exiting. Skip killing the task}: wording, pid, comm. */
        ALREADY_EXITING,
        /** {@code Tasks in … are going to be killed}: groupMemcg. */
        GROUP_KILL,
        /** {@code oom_reaper: reaped process …}: pid, comm and the anonymous, file and shared memory that is left. */
        REAPED,
        /** {@code Out of memory and no killable processes...}: wording. */
        NO_KILLABLE_PROCESS,
        /** The kernel panics because of the OOM: wording. */
        PANIC,
        /** The rate limit left reports out: suppressedCallbacks. */
        CALLBACKS_SUPPRESSED
    }

    /** The resource that has run out, by the line's own words. */
    public enum Wording {
        /** Nothing. */
        NONE,
        /**
         * {@code Out of memory}: the node's memory, or (in the same words) the part of it that a cpuset or a policy allows.
         */
        NODE,
        /** {@code Memory cgroup out of memory}. */
        MEMCG,
        /** {@code No available memory in cpuset} (to 2.6.35). */
        CPUSET,
        /** {@code No available memory (MPOL_BIND)} (to 2.6.35). */
        MEMORY_POLICY
    }

    final ByteText comm = new ByteText(MAX_COMM_BYTES);
    final ByteText constraint = new ByteText(MAX_NAME_BYTES);
    final ByteText gfpMask = new ByteText(MAX_NAME_BYTES);
    final ByteText oomMemcg = new ByteText(MAX_PATH_BYTES);
    final ByteText taskMemcg = new ByteText(MAX_PATH_BYTES);
    final ByteText groupMemcg = new ByteText(MAX_PATH_BYTES);
    final ByteText nodemask = new ByteText(MAX_NAME_BYTES);
    final ByteText cpuset = new ByteText(MAX_NAME_BYTES);
    final ByteText memsAllowed = new ByteText(MAX_NAME_BYTES);
    Kind kind;
    Wording wording;
    long pid;
    long uid;
    long cpu;
    long order;
    long oomScore;
    long oomScoreAdj;
    long totalVmBytes;
    long anonRssBytes;
    long fileRssBytes;
    long shmemRssBytes;
    long pgtablesBytes;
    long usageBytes;
    long limitBytes;
    long failcnt;
    long suppressedCallbacks;
    boolean globalOom;
    boolean memoryPlusSwap;

    /** Creates a line without content. */
    public OomLine() {
        clear();
    }

    /** Removes the content; costs nothing if there is none. */
    void reset() {
        if (kind != Kind.NONE) {
            clear();
        }
    }

    void clear() {
        kind = Kind.NONE;
        wording = Wording.NONE;
        comm.clear();
        constraint.clear();
        gfpMask.clear();
        oomMemcg.clear();
        taskMemcg.clear();
        groupMemcg.clear();
        nodemask.clear();
        cpuset.clear();
        memsAllowed.clear();
        pid = ABSENT;
        uid = ABSENT;
        cpu = ABSENT;
        order = ABSENT;
        oomScore = ABSENT;
        oomScoreAdj = ABSENT;
        totalVmBytes = ABSENT;
        anonRssBytes = ABSENT;
        fileRssBytes = ABSENT;
        shmemRssBytes = ABSENT;
        pgtablesBytes = ABSENT;
        usageBytes = ABSENT;
        limitBytes = ABSENT;
        failcnt = ABSENT;
        suppressedCallbacks = ABSENT;
        globalOom = false;
        memoryPlusSwap = false;
    }

    /** The kind of the line, which determines the fields that it can have. */
    public Kind kind() {
        return kind;
    }

    /** The resource that has run out, by the line's own words. */
    public Wording wording() {
        return wording;
    }

    /** Process id in the initial pid namespace: of the victim, or of the trigger (TRIGGER_CPU). */
    public long pid() {
        return pid;
    }

    /** User id in the initial user namespace, of the same process as {@link #pid}. */
    public long uid() {
        return uid;
    }

    /** Processor that the trigger ran on. */
    public long cpu() {
        return cpu;
    }

    /** Order of the allocation; -1 for an OOM that a user asked for (sysrq f). */
    public long order() {
        return order;
    }

    /** {@code score}: the badness of the process that was chosen; thousandths of the memory since 2.6.36. */
    public long oomScore() {
        return oomScore;
    }

    /** oom_score_adj, -1000 to 1000: of the trigger (INVOKED) or the victim (KILLED). */
    public long oomScoreAdj() {
        return oomScoreAdj;
    }

    /** {@code total-vm}, bytes. */
    public long totalVmBytes() {
        return totalVmBytes;
    }

    /** {@code anon-rss}, bytes. */
    public long anonRssBytes() {
        return anonRssBytes;
    }

    /** {@code file-rss}, bytes. */
    public long fileRssBytes() {
        return fileRssBytes;
    }

    /** {@code shmem-rss}, bytes. */
    public long shmemRssBytes() {
        return shmemRssBytes;
    }

    /** {@code pgtables}, bytes. Kernels 5.4.0 to 5.4.9 print bytes and call them kB; the line does not show which. */
    public long pgtablesBytes() {
        return pgtablesBytes;
    }

    /** {@code usage}, bytes. */
    public long usageBytes() {
        return usageBytes;
    }

    /** {@code limit}, bytes, or {@link #UNLIMITED}. */
    public long limitBytes() {
        return limitBytes;
    }

    /** {@code failcnt}: how often the limit was hit. */
    public long failcnt() {
        return failcnt;
    }

    /** Number of reports that the rate limit left out. */
    public long suppressedCallbacks() {
        return suppressedCallbacks;
    }

    /** {@code global_oom}. Kernels without CONFIG_MEMCG print neither this nor an oom_memcg. */
    public boolean globalOom() {
        return globalOom;
    }

    /** Its words name a memory cgroup's limit. */
    public boolean memcgWording() {
        return wording == Wording.MEMCG;
    }

    /** The usage and limit are of memory and swap together (v1). */
    public boolean memoryPlusSwap() {
        return memoryPlusSwap;
    }

    /** comm of the same process as {@link #pid}, at most 15 bytes; of the trigger in INVOKED. */
    public ByteText comm() {
        return comm;
    }

    /** {@code constraint}, as the kernel spells it; not a closed set. */
    public ByteText constraint() {
        return constraint;
    }

    /** gfp flags of the allocation: {@code 0xcc0(GFP_KERNEL)}. */
    public ByteText gfpMask() {
        return gfpMask;
    }

    /** {@code oom_memcg}, {@code limit of}, {@code stats for}: path of the cgroup at its limit. */
    public ByteText oomMemcg() {
        return oomMemcg;
    }

    /** {@code task_memcg}, {@code Task in}: path of the chosen victim's cgroup. */
    public ByteText taskMemcg() {
        return taskMemcg;
    }

    /** Path of the cgroup of a group kill: all its processes are killed. */
    public ByteText groupMemcg() {
        return groupMemcg;
    }

    /** {@code nodemask}: NUMA nodes that the allocation was confined to, {@code 0-1,3}; empty for {@code (null)}. */
    public ByteText nodemask() {
        return nodemask;
    }

    /** {@code cpuset}: last name in the path of the trigger's cpuset cgroup. */
    public ByteText cpuset() {
        return cpuset;
    }

    /** {@code mems_allowed}: NUMA nodes, {@code 0-1,3}. */
    public ByteText memsAllowed() {
        return memsAllowed;
    }
}
