package dev.exit137.agent.incident;

import dev.exit137.agent.kmsg.ByteText;
import dev.exit137.agent.kmsg.OomLine;
import java.util.Arrays;

/**
 * One OOM as the kernel's records tell it, from the allocation that failed to the last process killed for it. One
 * instance is used for incident after incident. Numbers that no record gave are {@link OomLine#ABSENT}.
 *
 * <p>Owned by the agent-epoll thread; allocates only when a group kill is larger than any before.
 */
public final class Incident {
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

  boolean summarized;
  final ByteText constraint = new ByteText(NAME_BYTES);
  final ByteText oomMemcg = new ByteText(PATH_BYTES);
  final ByteText taskMemcg = new ByteText(PATH_BYTES);
  long chosenPid;
  long chosenUid;
  final ByteText chosenComm = new ByteText(16);

  long usageBytes;
  long limitBytes;
  long swapUsageBytes;
  long swapLimitBytes;

  boolean groupKill;
  final ByteText groupMemcg = new ByteText(PATH_BYTES);
  boolean noKillableProcess;
  boolean panic;

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
    summarized = false;
    constraint.clear();
    oomMemcg.clear();
    taskMemcg.clear();
    chosenPid = OomLine.ABSENT;
    chosenUid = OomLine.ABSENT;
    chosenComm.clear();
    usageBytes = OomLine.ABSENT;
    limitBytes = OomLine.ABSENT;
    swapUsageBytes = OomLine.ABSENT;
    swapLimitBytes = OomLine.ABSENT;
    groupKill = false;
    groupMemcg.clear();
    noKillableProcess = false;
    panic = false;
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

  /** Whether the {@code oom-kill:constraint=} record was there. */
  public boolean isSummarized() {
    return summarized;
  }

  /** {@code CONSTRAINT_MEMCG}, as the kernel spelled it. */
  public ByteText constraint() {
    return constraint;
  }

  /** The cgroup whose limit was hit; empty for a global OOM and without a summary. */
  public ByteText oomMemcg() {
    return oomMemcg;
  }

  /** The cgroup of the chosen process; empty without a summary. */
  public ByteText taskMemcg() {
    return taskMemcg;
  }

  /**
   * Whether taskMemcg is the cgroup of this process. The name is compared, too: a cgroup whose name ends in {@code
   * ,task=x} makes the summary read otherwise than it was meant.
   */
  public boolean isChosen(OomLine killed) {
    return summarized
        && !taskMemcg.isEmpty()
        && chosenPid == killed.pid()
        && chosenComm.contentEquals(killed.comm());
  }

  /** Usage at the OOM, of the cgroup whose limit was hit. */
  public long usageBytes() {
    return usageBytes;
  }

  /** The limit that was hit; {@link OomLine#UNLIMITED} for none. */
  public long limitBytes() {
    return limitBytes;
  }

  public long swapUsageBytes() {
    return swapUsageBytes;
  }

  public long swapLimitBytes() {
    return swapLimitBytes;
  }

  /** memory.oom.group was set: every process of {@link #groupMemcg} is killed. */
  public boolean isGroupKill() {
    return groupKill;
  }

  public ByteText groupMemcg() {
    return groupMemcg;
  }

  /** The kernel found nothing that it may kill. */
  public boolean isNoKillableProcess() {
    return noKillableProcess;
  }

  /** The kernel panicked. */
  public boolean isPanic() {
    return panic;
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
