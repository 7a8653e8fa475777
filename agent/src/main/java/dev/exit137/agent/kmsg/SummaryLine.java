package dev.exit137.agent.kmsg;

import static dev.exit137.agent.kmsg.OomLine.ABSENT;
import static dev.exit137.agent.kmsg.TextCursor.ascii;

/**
 * The summary, the only line that names the cgroups (5.0 and later; rate-limited):
 *
 * <pre>
 * oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/leaker,task_memcg=/leaker,
 *     task=leaker,pid=6736,uid=0
 * oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0-1,global_oom,task_memcg=/,
 *     task=dhclient,pid=4526,uid=0
 * oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,task=dbus-daemon,pid=454,uid=101
 * </pre>
 *
 * <p>The second is global, the third a kernel without CONFIG_MEMCG; one without CONFIG_CPUSETS has no cpuset and
 * mems_allowed. Names hold any byte but the slash and the newline, and users make cgroups below their own. So comm, pid
 * and uid are found from the right, and all before from the left, where a made-up key can only lengthen a path into one
 * that does not exist; from the right it could make any other.
 *
 * <p>The kernel puts the line together from pieces (pr_cont); where it cannot, because the line would be longer than a
 * record (1 KiB) or another processor prints in between, the rest is in later records, and what is here is a cut line.
 */
final class SummaryLine {
  static final byte[] START = ascii("oom-kill:constraint=");
  private static final byte[] NODEMASK = ascii(",nodemask=");
  private static final byte[] NO_NODEMASK = ascii("(null)");
  private static final byte[] CPUSET = ascii(",cpuset=");
  private static final byte[] MEMS_ALLOWED = ascii(",mems_allowed=");
  private static final byte[] GLOBAL_OOM = ascii(",global_oom");
  private static final byte[] OOM_MEMCG = ascii(",oom_memcg=");
  private static final byte[] TASK_MEMCG = ascii(",task_memcg=");
  private static final byte[] TASK = ascii(",task=");
  private static final byte[] PID = ascii(",pid=");
  private static final byte[] UID = ascii(",uid=");

  private SummaryLine() {}

  /** Reads the line at {@code text}, which stands behind START. */
  static void parse(TextCursor text, OomLine line) {
    int constraint = text.position();
    int nodemask = text.find(NODEMASK, constraint, text.end());
    if (nodemask < 0) {
      return;
    }
    line.kind = OomLine.Kind.SUMMARY;
    line.constraint.set(text.buffer(), constraint, nodemask - constraint);
    int task = readTask(text, line, nodemask);
    text.position(nodemask + NODEMASK.length);
    if (!text.skip(NO_NODEMASK)) {
      skipNodeList(text);
    }
    if (text.at(text.position(), CPUSET) && !readCpuset(text, line, task)) {
      return;
    }
    line.globalOom = text.skip(GLOBAL_OOM);
    if (text.at(text.position(), OOM_MEMCG)) {
      readOomMemcg(text, line, task);
    }
    if (task >= 0 && text.skip(TASK_MEMCG)) {
      set(line.taskMemcg, text, text.position(), task);
    }
  }

  /**
   * Reads comm, pid and uid from the right and returns where {@code ,task=} begins, or -1 when they are not there.
   *
   * <p>A comm such as {@code x,task=y} has that key in it, so of those that leave a comm of at most 15 bytes it is the
   * first. That is wrong for a cgroup whose name ends in {@code ,task=x}, but anyone can name a process so, and few a
   * cgroup. The Killed line of the same pid has the comm again, and not behind a path.
   */
  private static int readTask(TextCursor text, OomLine line, int from) {
    int uid = text.findLast(UID, from);
    int pid = uid < 0 ? -1 : findLastPid(text, from, uid);
    if (pid < 0) {
      return -1;
    }
    text.position(uid);
    long uidNumber = text.number(UID, OomLineParser.MAX_UID);
    if (uidNumber == ABSENT || !text.atEnd()) {
      return -1;
    }
    int task = text.find(TASK, from, pid);
    while (task >= 0) {
      int comm = task + TASK.length;
      if (comm <= pid) {
        set(line.comm, text, comm, pid);
        if (!line.comm.isTruncated()) {
          text.position(pid);
          line.pid = text.number(PID, Integer.MAX_VALUE);
          line.uid = uidNumber;
          return task;
        }
      }
      task = text.find(TASK, task + 1, pid);
    }
    line.comm.clear();
    return -1;
  }

  /** Where the {@code ,pid=<number>} that ends at {@code uid} begins, or -1. */
  private static int findLastPid(TextCursor text, int from, int uid) {
    int digits = uid;
    while (digits > from && isDigit(text.buffer()[digits - 1])) {
      digits--;
    }
    int pid = digits - PID.length;
    if (pid < from || !text.at(pid, PID)) {
      return -1;
    }
    text.position(pid);
    return text.number(PID, Integer.MAX_VALUE) == ABSENT ? -1 : pid;
  }

  /** Reads cpuset and mems_allowed, and says whether both are whole. A cpuset's name may have anything in it, too. */
  private static boolean readCpuset(TextCursor text, OomLine line, int task) {
    int cpuset = text.position() + CPUSET.length;
    int memsAllowed = text.find(MEMS_ALLOWED, cpuset, text.end());
    while (memsAllowed >= 0) {
      text.position(memsAllowed);
      text.skip(MEMS_ALLOWED);
      int list = text.position();
      skipNodeList(text);
      int end = text.position();
      if (end == task || text.at(end, GLOBAL_OOM) || text.at(end, OOM_MEMCG)) {
        set(line.cpuset, text, cpuset, memsAllowed);
        set(line.memsAllowed, text, list, end);
        return true;
      }
      memsAllowed = text.find(MEMS_ALLOWED, end, text.end());
    }
    return false;
  }

  /**
   * The limit that was hit is that of the victim's cgroup or of one above it: where a path has {@code ,task_memcg=} in
   * it, that tells which of them is the key. A victim that was moved meanwhile breaks it; then it is the first.
   */
  private static void readOomMemcg(TextCursor text, OomLine line, int task) {
    int oomMemcg = text.position() + OOM_MEMCG.length;
    int first = text.find(TASK_MEMCG, oomMemcg, text.end());
    int chosen = first;
    while (task >= 0 && chosen >= 0 && !isWithin(text, chosen + TASK_MEMCG.length, task, oomMemcg, chosen)) {
      chosen = text.find(TASK_MEMCG, chosen + 1, task);
    }
    if (chosen < 0) {
      chosen = first;
    }
    if (chosen >= 0) {
      set(line.oomMemcg, text, oomMemcg, chosen);
      text.position(chosen);
    }
  }

  /** Whether the path [from, to) is that of the cgroup [rootFrom, rootTo) or of one below it. */
  private static boolean isWithin(TextCursor text, int from, int to, int rootFrom, int rootTo) {
    byte[] buffer = text.buffer();
    int rootLength = rootTo - rootFrom;
    if (to - from < rootLength) {
      return false;
    }
    for (int i = 0; i < rootLength; i++) {
      if (buffer[from + i] != buffer[rootFrom + i]) {
        return false;
      }
    }
    boolean isRoot = rootLength == 1;
    return to - from == rootLength || isRoot || buffer[from + rootLength] == '/';
  }

  /** {@code 0-1,3}: passes over it, not over the comma before the next key. */
  private static void skipNodeList(TextCursor text) {
    int i = text.position();
    byte[] buffer = text.buffer();
    while (i < text.end() && (isDigit(buffer[i]) || buffer[i] == '-' || isCommaBeforeDigit(buffer, i, text.end()))) {
      i++;
    }
    text.position(i);
  }

  private static boolean isCommaBeforeDigit(byte[] buffer, int i, int end) {
    return buffer[i] == ',' && i + 1 < end && isDigit(buffer[i + 1]);
  }

  private static boolean isDigit(byte b) {
    return b >= '0' && b <= '9';
  }

  private static void set(ByteText field, TextCursor text, int from, int to) {
    field.set(text.buffer(), from, to - from);
  }
}
