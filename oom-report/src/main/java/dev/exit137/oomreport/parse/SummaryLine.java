package dev.exit137.oomreport.parse;

import static dev.exit137.oomreport.parse.Bytes.ascii;
import static dev.exit137.oomreport.parse.OomLine.ABSENT;

import java.util.Arrays;

/**
 * The summary, the only line that names the victim's cgroup (5.0 and later; rate-limited):
 *
 * <pre>
 * oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/leaker,task_memcg=/leaker,
 *     task=leaker,pid=6736,uid=0
 * oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0-1,global_oom,task_memcg=/,
 *     task=dhclient,pid=4526,uid=0
 * oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,task=dbus-daemon,pid=454,uid=101
 * </pre>
 *
 * <p>The second is global, the third is from a kernel without CONFIG_MEMCG; a kernel without CONFIG_CPUSETS prints no
 * cpuset and mems_allowed. Names hold any byte but the slash and the newline, and users create cgroups below their own.
 * So comm, pid and uid are found from the right, and all before from the left, where a made-up key can only lengthen a
 * path into one that does not exist; from the right it could make any other path.
 *
 * <p>The kernel joins the line from pieces (pr_cont). Where it cannot, because the line would be longer than a record
 * (1 KiB) or another processor prints in between, the rest is in later records. Then this line is cut, and has no paths
 * if no text after them shows where they end.
 */
final class SummaryLine {
    static final byte[] START = ascii("oom-kill:constraint=");
    private static final byte[] NODEMASK = ascii(",nodemask=");
    private static final byte[] CPUSET = ascii(",cpuset=");
    private static final byte[] MEMS_ALLOWED = ascii(",mems_allowed=");
    private static final byte[] GLOBAL_OOM = ascii(",global_oom");
    private static final byte[] OOM_MEMCG = ascii(",oom_memcg=");
    private static final byte[] TASK_MEMCG = ascii(",task_memcg=");
    private static final byte[] TASK = ascii(",task=");
    private static final byte[] PID = ascii(",pid=");
    private static final byte[] UID = ascii(",uid=");

    private SummaryLine() {}

    /** Reads the line at {@code text}, which is after START. */
    static void parse(TextCursor text, OomLine line) {
        int constraint = text.position();
        int nodemask = text.find(NODEMASK, constraint);
        if (nodemask < 0) {
            return;
        }
        line.kind = OomLine.Kind.SUMMARY;
        line.constraint.set(text.buffer(), constraint, nodemask - constraint);
        int task = readTask(text, line, nodemask);
        boolean whole = task >= 0;
        int end = whole ? task : text.end();
        text.wrap(text.buffer(), nodemask + NODEMASK.length, end);
        text.nodemask(line.nodemask);
        if (!whole && text.end() - text.position() <= 1) {
            // The line may be cut within the list, or after a comma of it.
            line.nodemask.clear();
        }
        if (text.at(text.position(), CPUSET) && !readCpuset(text, line, whole)) {
            return;
        }
        line.globalOom = text.skip(GLOBAL_OOM);
        if (!whole) {
            // The line is cut within the comm or after it: the paths are whole.
            end = text.find(TASK, text.position(), end);
        }
        if (end >= 0) {
            text.wrap(text.buffer(), text.position(), end);
            readOomMemcg(text, line);
            readTaskMemcg(text, line);
        } else {
            readOomMemcgBeforeCut(text, line);
        }
    }

    /**
     * Reads comm, pid and uid from the right and returns where {@code ,task=} begins, or -1 when they are not there.
     *
     * <p>A comm such as {@code x,task=y} has that key in it, so the first of those that leave a comm of at most 15 bytes
     * is taken. That is wrong for a cgroup whose name ends in {@code ,task=x}, but any user can name a process so, and
     * few users a cgroup. The Killed line of the same pid has the comm again, and not after a path.
     */
    private static int readTask(TextCursor text, OomLine line, int from) {
        int pid = text.findLast(PID, from);
        if (pid < 0) {
            return -1;
        }
        text.position(pid);
        long pidNumber = text.number(PID, Integer.MAX_VALUE);
        long uidNumber = text.number(UID, OomLineParser.MAX_UID);
        if (pidNumber == ABSENT || uidNumber == ABSENT || !text.atEnd()) {
            return -1;
        }
        for (int task = text.find(TASK, from, pid); task >= 0; task = text.find(TASK, task + 1, pid)) {
            set(line.comm, text, task + TASK.length, pid);
            if (!line.comm.isTruncated()) {
                line.pid = pidNumber;
                line.uid = uidNumber;
                return task;
            }
        }
        line.comm.clear();
        return -1;
    }

    /** Reads cpuset and mems_allowed, and returns whether both are whole. A cpuset's name may also hold any bytes. */
    private static boolean readCpuset(TextCursor text, OomLine line, boolean whole) {
        int cpuset = text.position() + CPUSET.length;
        int key = text.find(MEMS_ALLOWED, cpuset);
        while (key >= 0) {
            int list = key + MEMS_ALLOWED.length;
            text.position(list);
            text.skipNodeList();
            int end = text.position();
            if ((whole && text.atEnd()) || text.at(end, GLOBAL_OOM) || text.at(end, OOM_MEMCG)) {
                set(line.cpuset, text, cpuset, key);
                set(line.memsAllowed, text, list, end);
                return true;
            }
            key = text.find(MEMS_ALLOWED, end);
        }
        return false;
    }

    /**
     * The limit that was hit belongs to the victim's cgroup or to one above it: where a path has {@code ,task_memcg=} in
     * it, that shows which of them is the key. If the victim was moved meanwhile, this fails; then the first match is
     * taken.
     */
    private static void readOomMemcg(TextCursor text, OomLine line) {
        if (!text.skip(OOM_MEMCG)) {
            return;
        }
        int oomMemcg = text.position();
        int first = text.find(TASK_MEMCG, oomMemcg);
        int chosen = first;
        while (chosen >= 0 && !isWithin(text.buffer(), chosen + TASK_MEMCG.length, text.end(), oomMemcg, chosen)) {
            chosen = text.find(TASK_MEMCG, chosen + 1);
        }
        int end = chosen >= 0 ? chosen : first;
        if (end >= 0) {
            set(line.oomMemcg, text, oomMemcg, end);
            text.position(end);
        }
    }

    /**
     * The line is cut within the second path. The first path is whole where the second begins with it, as the path of a
     * victim below it does.
     */
    private static void readOomMemcgBeforeCut(TextCursor text, OomLine line) {
        if (!text.skip(OOM_MEMCG)) {
            return;
        }
        int oomMemcg = text.position();
        int key = text.find(TASK_MEMCG, oomMemcg);
        while (key >= 0 && !startsWith(text, key + TASK_MEMCG.length, oomMemcg, key)) {
            key = text.find(TASK_MEMCG, key + 1);
        }
        if (key >= 0) {
            set(line.oomMemcg, text, oomMemcg, key);
        }
    }

    private static boolean startsWith(TextCursor text, int at, int from, int to) {
        int end = at + to - from;
        return end <= text.end() && Arrays.equals(text.buffer(), at, end, text.buffer(), from, to);
    }

    private static void readTaskMemcg(TextCursor text, OomLine line) {
        if (text.skip(TASK_MEMCG)) {
            set(line.taskMemcg, text, text.position(), text.end());
        }
    }

    /** Whether the path [from, to) is that of the cgroup [rootFrom, rootTo) or of a cgroup below it. */
    static boolean isWithin(byte[] buffer, int from, int to, int rootFrom, int rootTo) {
        int length = to - from;
        int rootLength = rootTo - rootFrom;
        if (length < rootLength || !Arrays.equals(buffer, from, from + rootLength, buffer, rootFrom, rootTo)) {
            return false;
        }
        boolean isRoot = rootLength == 1;
        return length == rootLength || isRoot || buffer[from + rootLength] == '/';
    }

    private static void set(ByteText field, TextCursor text, int from, int to) {
        field.set(text.buffer(), from, to - from);
    }
}
