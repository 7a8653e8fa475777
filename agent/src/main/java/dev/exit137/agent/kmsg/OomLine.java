package dev.exit137.agent.kmsg;

/**
 * What one line of an OOM report says. {@link OomLineParser} fills it again and again; whoever wants to keep something
 * copies it. A number that the line does not have is {@link #ABSENT}, a text is empty. A field counts only when what
 * follows it has been seen, so that a line that was cut short gives no half of a field, numbers at the very end of a
 * line excepted. Belongs to one thread.
 */
public final class OomLine {
  /** The line does not have that number. */
  public static final long ABSENT = Long.MIN_VALUE;

  /** A limit that is none: 2^64-1 bytes, as an unsigned number. */
  public static final long UNLIMITED = -1;

  /** TASK_COMM_LEN less the closing NUL: no comm is longer, whatever is in it. */
  static final int MAX_COMM_BYTES = 15;

  private static final int MAX_PATH_BYTES = 4096;
  private static final int MAX_NAME_BYTES = 256;
  private static final int MAX_MESSAGE_BYTES = 64;

  /** Which line it is. */
  public enum Kind {
    /** None of an OOM report that matters here. */
    NONE,
    /** {@code … invoked oom-killer}: comm, gfpMask, order and oomScoreAdj of the process that asked for memory. */
    INVOKED,
    /** {@code CPU: … PID: …} of any stack dump: cpu, uid, pid, comm. It is the trigger's only behind an INVOKED. */
    TRIGGER_CPU,
    /** {@code memory: usage …}: usageBytes, limitBytes, failcnt of the cgroup whose limit was hit. */
    MEMORY_USAGE,
    /** {@code swap: usage …}, on v1 {@code memory+swap: usage …} (then memoryPlusSwap): the same three. */
    SWAP_USAGE,
    /** {@code oom-kill:…}: constraint, cpuset, memsAllowed, globalOom, oomMemcg, taskMemcg, and comm, pid, uid. */
    SUMMARY,
    /** {@code … Killed process …}: killMessage, memcgWording, and pid, comm, uid, sizes, oomScoreAdj of the victim. */
    KILLED,
    /** {@code Tasks in … are going to be killed}: groupMemcg. */
    GROUP_KILL,
    /** {@code oom_reaper: reaped process …}: pid, comm and what anonymous, file and shared memory is left. */
    REAPED,
    /** {@code Out of memory and no killable processes...}: memcgWording. */
    NO_KILLABLE_PROCESS,
    /** The kernel panics because of the OOM. */
    PANIC,
    /** Reports were left out (rate limit): suppressedCallbacks. */
    CALLBACKS_SUPPRESSED
  }

  final ByteText comm = new ByteText(MAX_COMM_BYTES);
  final ByteText constraint = new ByteText(MAX_NAME_BYTES);
  final ByteText gfpMask = new ByteText(MAX_NAME_BYTES);
  final ByteText oomMemcg = new ByteText(MAX_PATH_BYTES);
  final ByteText taskMemcg = new ByteText(MAX_PATH_BYTES);
  final ByteText groupMemcg = new ByteText(MAX_PATH_BYTES);
  final ByteText cpuset = new ByteText(MAX_NAME_BYTES);
  final ByteText memsAllowed = new ByteText(MAX_NAME_BYTES);
  final ByteText killMessage = new ByteText(MAX_MESSAGE_BYTES);
  Kind kind;
  long pid;
  long uid;
  long cpu;
  long order;
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
  boolean memcgWording;
  boolean memoryPlusSwap;

  /** A line that says nothing. */
  public OomLine() {
    clear();
  }

  void clear() {
    kind = Kind.NONE;
    comm.clear();
    constraint.clear();
    gfpMask.clear();
    oomMemcg.clear();
    taskMemcg.clear();
    groupMemcg.clear();
    cpuset.clear();
    memsAllowed.clear();
    killMessage.clear();
    pid = ABSENT;
    uid = ABSENT;
    cpu = ABSENT;
    order = ABSENT;
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
    memcgWording = false;
    memoryPlusSwap = false;
  }

  /** Which line it is, and so which of the fields it can have. */
  public Kind kind() {
    return kind;
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

  /** Order of the allocation; -1 for an OOM that was asked for (sysrq f). */
  public long order() {
    return order;
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

  /** {@code pgtables}, bytes. Kernels 5.4.0 to 5.4.9 print bytes and call them kB; the line does not tell. */
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

  /** The line begins with {@code Memory cgroup out of memory}. */
  public boolean memcgWording() {
    return memcgWording;
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

  /** {@code oom_memcg}: path of the cgroup whose limit was hit. */
  public ByteText oomMemcg() {
    return oomMemcg;
  }

  /** {@code task_memcg}: path of the chosen victim's cgroup. */
  public ByteText taskMemcg() {
    return taskMemcg;
  }

  /** Path of the cgroup all of whose processes are killed. */
  public ByteText groupMemcg() {
    return groupMemcg;
  }

  /** {@code cpuset}: last name in the path of the trigger's cpuset cgroup. */
  public ByteText cpuset() {
    return cpuset;
  }

  /** {@code mems_allowed}: NUMA nodes, {@code 0-1,3}. */
  public ByteText memsAllowed() {
    return memsAllowed;
  }

  /** What stands before {@code : Killed process}; empty before kernel 5.1, when that was a line of its own. */
  public ByteText killMessage() {
    return killMessage;
  }
}
