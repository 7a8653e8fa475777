package dev.exit137.agent.kmsg;

import static dev.exit137.agent.kmsg.OomLine.ABSENT;
import static dev.exit137.agent.kmsg.TextCursor.ascii;

import dev.exit137.agent.kmsg.OomLine.Kind;

/**
 * Tells the lines of an OOM report from all others and reads them, as kernels since 5.4 print them. Looks at bytes in
 * place, allocates nothing and takes any bytes without an exception. Belongs to one thread.
 *
 * <p>Only the text is judged. Whether the record is the kernel's ({@link KmsgRecordFlyweight#facility} 0) is the
 * caller's question, to be asked first.
 */
public final class OomLineParser {
  static final long MAX_UID = 0xffff_ffffL;
  static final long MAX_OOM_SCORE_ADJ = 1000;

  private static final int MAX_ESCAPED_COMM_BYTES = 4 * OomLine.MAX_COMM_BYTES;

  private static final byte[] INVOKED = ascii(" invoked oom-killer: gfp_mask=");
  private static final byte[] COMMA = ascii(",");
  private static final byte[] ORDER = ascii("order=");
  private static final byte[] OOM_SCORE_ADJ = ascii(", oom_score_adj=");
  private static final byte[] CPU = ascii("CPU: ");
  private static final byte[] CPU_UID = ascii(" UID: ");
  private static final byte[] CPU_PID = ascii(" PID: ");
  private static final byte[] CPU_COMM = ascii(" Comm: ");
  private static final byte[] KDUMP_LOADED = ascii(" Kdump: loaded");
  private static final byte[] NOT_TAINTED = ascii(" Not tainted ");
  private static final byte[] TAINTED = ascii(" Tainted: ");
  private static final byte[] MEMORY = ascii("memory: usage ");
  private static final byte[] MEMORY_PLUS_SWAP = ascii("memory+swap: usage ");
  private static final byte[] SWAP = ascii("swap: usage ");
  private static final byte[] LIMIT = ascii(", limit ");
  private static final byte[] FAILCNT = ascii(", failcnt ");
  private static final byte[] OUT_OF_MEMORY = ascii("Out of memory");
  private static final byte[] MEMCG_OUT_OF_MEMORY = ascii("Memory cgroup out of memory");
  private static final byte[] NO_KILLABLE = ascii(" and no killable processes");
  private static final byte[] TASKS_IN = ascii("Tasks in ");
  private static final byte[] GROUP_KILL = ascii(" are going to be killed due to memory.oom.group set");
  private static final byte[] REAPED = ascii("oom_reaper: reaped process ");
  private static final byte[] REAPED_COMM = ascii(" (");
  private static final byte[] REAPED_ANON_RSS = ascii("), now anon-rss:");
  private static final byte[] FILE_RSS = ascii(", file-rss:");
  private static final byte[] SHMEM_RSS = ascii(", shmem-rss:");
  private static final byte[] PANIC = ascii("Kernel panic - not syncing: ");
  private static final byte[] DEADLOCKED = ascii("System is deadlocked on memory");
  private static final byte[] SUPPRESSED_REPORT = ascii("oom_kill_process: ");
  private static final byte[] SUPPRESSED_HEADER = ascii("dump_header: ");
  private static final byte[] SUPPRESSED = ascii(" callbacks suppressed");

  private final TextCursor text = new TextCursor();

  /** Reads the record's message into {@code line}. The kind is NONE for any other line and for an invalid record. */
  public void parse(KmsgRecordFlyweight record, OomLine line) {
    line.clear();
    int start = record.messageOffset();
    text.wrap(record.buffer(), start, start + record.messageLength());
    if (!record.isValid()) {
      return;
    }
    if (!parseInvoked(line)) {
      text.position(start);
      line.comm.clear();
      parseByStart(line);
    }
    if (line.kind == Kind.NONE) {
      line.clear();
    }
  }

  private void parseByStart(OomLine line) {
    switch (text.peek()) {
      case 'C' -> parseTriggerCpu(line);
      case 'm', 's' -> parseUsage(line);
      case 'o', 'd' -> parseLowerCase(line);
      case 'O', 'M' -> parseOutOfMemory(line);
      case 'K' -> parseKilledOrPanic(line);
      case 'T' -> parseGroupKill(line);
      default -> { }
    }
  }

  /**
   * runc:[2:INIT] invoked oom-killer: gfp_mask=0x500cc2(GFP_HIGHUSER|__GFP_ACCOUNT), order=0, oom_score_adj=0
   *
   * <p>A comm is all that may stand before, and nothing behind: a device may have a name with these words in it, which
   * the kernel prints with others before and behind.
   */
  private boolean parseInvoked(OomLine line) {
    int start = text.position();
    int invoked = text.find(INVOKED, start, start + MAX_ESCAPED_COMM_BYTES + 1);
    if (invoked < 0) {
      return false;
    }
    set(line.comm, start, invoked);
    int gfpMask = invoked + INVOKED.length;
    int gfpMaskEnd = text.find(COMMA, gfpMask, text.end());
    int order = gfpMaskEnd < 0 ? -1 : text.find(ORDER, gfpMaskEnd, text.end());
    if (line.comm.isTruncated() || order < 0) {
      return false;
    }
    text.position(order);
    long orderNumber = text.signed(ORDER, Integer.MAX_VALUE);
    long oomScoreAdj = text.signed(OOM_SCORE_ADJ, MAX_OOM_SCORE_ADJ);
    if (orderNumber == ABSENT || oomScoreAdj == ABSENT || !text.atEnd()) {
      return false;
    }
    set(line.gfpMask, gfpMask, gfpMaskEnd);
    line.order = orderNumber;
    line.oomScoreAdj = oomScoreAdj;
    line.kind = Kind.INVOKED;
    return true;
  }

  /**
   * CPU: 1 PID: 6736 Comm: leaker Kdump: loaded Not tainted 5.3.0-rc3+ #936
   *
   * <p>CPU: 1 UID: 0 PID: 74 Comm: kworker/u17:0 Not tainted 6.16.0-00015-gf09eb0d6badc #102 PREEMPT(full) (from 6.11)
   */
  private void parseTriggerCpu(OomLine line) {
    line.cpu = text.number(CPU, Integer.MAX_VALUE);
    line.uid = text.number(CPU_UID, MAX_UID);
    line.pid = text.number(CPU_PID, Integer.MAX_VALUE);
    if (line.cpu == ABSENT || line.pid == ABSENT || !text.skip(CPU_COMM)) {
      return;
    }
    line.kind = Kind.TRIGGER_CPU;
    int comm = text.position();
    int commEnd = Math.max(text.findLast(NOT_TAINTED, comm), text.findLast(TAINTED, comm));
    if (commEnd < 0) {
      return;
    }
    int kdump = commEnd - KDUMP_LOADED.length;
    set(line.comm, comm, kdump >= comm && text.at(kdump, KDUMP_LOADED) ? kdump : commEnd);
    if (line.comm.isTruncated()) {
      line.comm.clear();
    }
  }

  /**
   * memory: usage 42240kB, limit 9007199254740988kB, failcnt 0
   *
   * <p>swap: usage 2112kB, limit 9007199254740988kB, failcnt 0 (v2)
   *
   * <p>memory+swap: usage 2592556kB, limit 9007199254740988kB, failcnt 0 (v1)
   */
  private void parseUsage(OomLine line) {
    Kind kind = text.at(text.position(), MEMORY) ? Kind.MEMORY_USAGE : Kind.SWAP_USAGE;
    line.memoryPlusSwap = text.at(text.position(), MEMORY_PLUS_SWAP);
    byte[] start = kind == Kind.MEMORY_USAGE ? MEMORY : line.memoryPlusSwap ? MEMORY_PLUS_SWAP : SWAP;
    line.usageBytes = text.sizeBytes(start);
    if (line.usageBytes == ABSENT) {
      return;
    }
    line.kind = kind;
    line.limitBytes = text.limitBytes(LIMIT);
    line.failcnt = text.number(FAILCNT, Long.MAX_VALUE);
  }

  private void parseLowerCase(OomLine line) {
    if (text.skip(SummaryLine.START)) {
      SummaryLine.parse(text, line);
    } else if (text.at(text.position(), REAPED)) {
      parseReaped(line);
    } else {
      parseSuppressed(line);
    }
  }

  private void parseOutOfMemory(OomLine line) {
    int start = text.position();
    line.memcgWording = text.skip(MEMCG_OUT_OF_MEMORY);
    if (!line.memcgWording && !text.skip(OUT_OF_MEMORY)) {
      return;
    }
    // Out of memory and no killable processes...
    if (text.at(text.position(), NO_KILLABLE)) {
      line.kind = Kind.NO_KILLABLE_PROCESS;
      return;
    }
    text.position(start);
    KilledLine.parse(text, line);
  }

  /**
   * Kernel panic - not syncing: System is deadlocked on memory
   *
   * <p>Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled
   */
  private void parseKilledOrPanic(OomLine line) {
    if (text.at(text.position(), KilledLine.KILLED)) {
      KilledLine.parse(text, line);
    } else if (text.skip(PANIC)
        && (text.at(text.position(), OUT_OF_MEMORY) || text.at(text.position(), DEADLOCKED))) {
      line.kind = Kind.PANIC;
    }
  }

  /** Tasks in /kubepods.slice/kubepods-podf9411888.slice are going to be killed due to memory.oom.group set */
  private void parseGroupKill(OomLine line) {
    int end = text.end() - GROUP_KILL.length;
    if (text.skip(TASKS_IN) && end >= text.position() && text.at(end, GROUP_KILL)) {
      set(line.groupMemcg, text.position(), end);
      line.kind = Kind.GROUP_KILL;
    }
  }

  /** oom_reaper: reaped process 1452 (systemd-journal), now anon-rss:0kB, file-rss:8564kB, shmem-rss:4kB */
  private void parseReaped(OomLine line) {
    line.pid = text.number(REAPED, Integer.MAX_VALUE);
    if (line.pid == ABSENT || !text.skip(REAPED_COMM)) {
      return;
    }
    int comm = text.position();
    // Longer than a comm: it cannot be part of one, and so the first is the true one.
    int commEnd = text.find(REAPED_ANON_RSS, comm, text.end());
    if (commEnd < 0) {
      return;
    }
    set(line.comm, comm, commEnd);
    text.position(commEnd);
    line.anonRssBytes = text.sizeBytes(REAPED_ANON_RSS);
    line.fileRssBytes = text.sizeBytes(FILE_RSS);
    line.shmemRssBytes = text.sizeBytes(SHMEM_RSS);
    line.kind = Kind.REAPED;
  }

  /**
   * oom_kill_process: 70 callbacks suppressed (dump_header before 5.0)
   *
   * <p>Other functions say the same of themselves; theirs are not reports of an OOM.
   */
  private void parseSuppressed(OomLine line) {
    byte[] start = text.peek() == 'd' ? SUPPRESSED_HEADER : SUPPRESSED_REPORT;
    line.suppressedCallbacks = text.number(start, Integer.MAX_VALUE);
    if (line.suppressedCallbacks != ABSENT && text.skip(SUPPRESSED)) {
      line.kind = Kind.CALLBACKS_SUPPRESSED;
    }
  }

  private void set(ByteText field, int from, int to) {
    field.set(text.buffer(), from, to - from);
  }
}
