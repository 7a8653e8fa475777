package dev.exit137.oomreport.incident;

import dev.exit137.oomreport.parse.ByteText;
import dev.exit137.oomreport.parse.OomLine;
import dev.exit137.oomreport.parse.OomLine.Kind;
import dev.exit137.oomreport.parse.OomLine.Wording;
import java.util.Arrays;

/**
 * One OOM from the kernel's records, from the allocation that failed to the last process killed for it. One instance is
 * used for incident after incident. Numbers that no record gave are {@link OomLine#ABSENT}.
 *
 * <p>Owned by the agent-epoll thread; allocates only when a group kill is larger than any before.
 */
public final class OomIncident {
    private static final int PATH_BYTES = 4096;
    private static final int NAME_BYTES = 256;

    long firstSequence;
    long lastTimestampMicros;

    boolean invoked;
    final ByteText triggerComm = new ByteText(16);
    final ByteText gfpMask = new ByteText(NAME_BYTES);
    long order;
    long triggerOomScoreAdj;
    long triggerPid;
    long triggerCpu;
    final ByteText nodemask = new ByteText(NAME_BYTES);
    final ByteText cpuset = new ByteText(NAME_BYTES);
    final ByteText memsAllowed = new ByteText(NAME_BYTES);

    /** The progress of the head: the kernel prints its lines in the order of the kinds. */
    Kind headKind = Kind.NONE;

    Wording wording = Wording.NONE;
    boolean summarized;
    boolean globalOom;
    final ByteText constraint = new ByteText(NAME_BYTES);
    final ByteText oomMemcg = new ByteText(PATH_BYTES);
    final ByteText taskMemcg = new ByteText(PATH_BYTES);
    long chosenPid;
    long chosenUid;
    final ByteText chosenComm = new ByteText(16);
    long chosenOomScore;

    boolean memcgBlock;
    long usageBytes;
    long limitBytes;
    long failcnt;
    boolean memoryPlusSwap;
    long swapUsageBytes;
    long swapLimitBytes;
    long kmemUsageBytes;
    long kmemLimitBytes;

    boolean groupKill;
    final ByteText groupMemcg = new ByteText(PATH_BYTES);
    boolean noKillableProcess;
    boolean panic;
    int alreadyExiting;

    private int[] killedPids = new int[64];
    private int kills;
    private int repeatedKillRecords;

    void begin(long sequence, long timestampMicros) {
        firstSequence = sequence;
        lastTimestampMicros = timestampMicros;
        invoked = false;
        triggerComm.clear();
        gfpMask.clear();
        order = OomLine.ABSENT;
        triggerOomScoreAdj = OomLine.ABSENT;
        triggerPid = OomLine.ABSENT;
        triggerCpu = OomLine.ABSENT;
        nodemask.clear();
        cpuset.clear();
        memsAllowed.clear();
        headKind = Kind.NONE;
        wording = Wording.NONE;
        summarized = false;
        globalOom = false;
        constraint.clear();
        oomMemcg.clear();
        taskMemcg.clear();
        chosenPid = OomLine.ABSENT;
        chosenUid = OomLine.ABSENT;
        chosenComm.clear();
        chosenOomScore = OomLine.ABSENT;
        memcgBlock = false;
        usageBytes = OomLine.ABSENT;
        limitBytes = OomLine.ABSENT;
        failcnt = OomLine.ABSENT;
        memoryPlusSwap = false;
        swapUsageBytes = OomLine.ABSENT;
        swapLimitBytes = OomLine.ABSENT;
        kmemUsageBytes = OomLine.ABSENT;
        kmemLimitBytes = OomLine.ABSENT;
        groupKill = false;
        groupMemcg.clear();
        noKillableProcess = false;
        panic = false;
        alreadyExiting = 0;
        kills = 0;
        repeatedKillRecords = 0;
    }

    void addKill(long pid) {
        if (kills == killedPids.length) {
            killedPids = Arrays.copyOf(killedPids, 2 * kills);
        }
        killedPids[kills++] = (int) pid;
    }

    void addRepeatedKillRecord() {
        repeatedKillRecords++;
    }

    boolean hasKilled(long pid) {
        for (int i = 0; i < kills; i++) {
            if (killedPids[i] == pid) {
                return true;
            }
        }
        return false;
    }

    /** kmsg sequence number of the first record that belongs to it. */
    public long firstSequence() {
        return firstSequence;
    }

    /** printk's time of the last record that belongs to it, microseconds since boot. */
    public long lastTimestampMicros() {
        return lastTimestampMicros;
    }

    /** Whether the {@code invoked oom-killer} record was there; the trigger's fields are absent otherwise. */
    public boolean isInvoked() {
        return invoked;
    }

    public ByteText triggerComm() {
        return triggerComm;
    }

    public ByteText gfpMask() {
        return gfpMask;
    }

    public long order() {
        return order;
    }

    public long triggerOomScoreAdj() {
        return triggerOomScoreAdj;
    }

    public long triggerPid() {
        return triggerPid;
    }

    public long triggerCpu() {
        return triggerCpu;
    }

    /** NUMA nodes that the allocation was confined to; empty for no such limit. */
    public ByteText nodemask() {
        return nodemask;
    }

    /** The trigger's cpuset: the last name of its path. */
    public ByteText cpuset() {
        return cpuset;
    }

    /** NUMA nodes that the trigger may use. */
    public ByteText memsAllowed() {
        return memsAllowed;
    }

    /**
     * The resource that has run out, by the kernel's words, where another record than {@code Killed process} names it.
     */
    public Wording wording() {
        return wording;
    }

    /** Whether a record shows that a memory cgroup's limit was hit. */
    public boolean isMemcg() {
        return memcgBlock || !oomMemcg.isEmpty() || wording == Wording.MEMCG;
    }

    /** Whether a record shows that it was not a memory cgroup's limit. */
    public boolean isNotMemcg() {
        return globalOom || (wording != Wording.NONE && wording != Wording.MEMCG);
    }

    /** Whether the {@code oom-kill:constraint=} record was there. */
    public boolean isSummarized() {
        return summarized;
    }

    /** {@code CONSTRAINT_MEMCG}, as the kernel spelled it. */
    public ByteText constraint() {
        return constraint;
    }

    /** The cgroup at its limit; empty for a global OOM and where no record names it. */
    public ByteText oomMemcg() {
        return oomMemcg;
    }

    /** The cgroup of the chosen process; empty where no record names it. */
    public ByteText taskMemcg() {
        return taskMemcg;
    }

    /** The process that the kernel chose. It may kill another: a child (before 5.1), or a thread's leader. */
    public long chosenPid() {
        return chosenPid;
    }

    public long chosenUid() {
        return chosenUid;
    }

    public ByteText chosenComm() {
        return chosenComm;
    }

    /** The badness of the chosen process, before 5.1. */
    public long chosenOomScore() {
        return chosenOomScore;
    }

    /**
     * Whether taskMemcg is the cgroup of this process. The name is compared, too: a cgroup whose name ends in
     * {@code ,task=x} makes the summary ambiguous. In place of a path the kernel may print {@code (name too long)}
     * (pr_cont_kernfs_path).
     */
    public boolean isChosen(OomLine killed) {
        return taskMemcg.startsWith('/') && chosenPid == killed.pid() && chosenComm.contentEquals(killed.comm());
    }

    /** Usage at the OOM, in bytes, of the cgroup at its limit. */
    public long usageBytes() {
        return usageBytes;
    }

    /** The limit that was hit, in bytes; {@link OomLine#UNLIMITED} for none. */
    public long limitBytes() {
        return limitBytes;
    }

    /** How often the limit was hit. */
    public long failcnt() {
        return failcnt;
    }

    /** Whether the swap's usage and limit are those of memory and swap together (v1). */
    public boolean isMemoryPlusSwap() {
        return memoryPlusSwap;
    }

    public long swapUsageBytes() {
        return swapUsageBytes;
    }

    public long swapLimitBytes() {
        return swapLimitBytes;
    }

    public long kmemUsageBytes() {
        return kmemUsageBytes;
    }

    public long kmemLimitBytes() {
        return kmemLimitBytes;
    }

    /** memory.oom.group was set: every process of {@link #groupMemcg} is killed. */
    public boolean isGroupKill() {
        return groupKill;
    }

    public ByteText groupMemcg() {
        return groupMemcg;
    }

    /** The kernel found no process that it may kill. */
    public boolean isNoKillableProcess() {
        return noKillableProcess;
    }

    /** The kernel panicked. */
    public boolean isPanic() {
        return panic;
    }

    /** Number of processes that the kernel chose and that were already exiting. */
    public int alreadyExiting() {
        return alreadyExiting;
    }

    /** Distinct processes killed so far. */
    public int kills() {
        return kills;
    }

    /** Further {@code Killed process} records of processes already counted. */
    public int repeatedKillRecords() {
        return repeatedKillRecords;
    }
}
