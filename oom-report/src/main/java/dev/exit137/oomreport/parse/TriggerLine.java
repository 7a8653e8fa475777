package dev.exit137.oomreport.parse;

import static dev.exit137.oomreport.parse.Bytes.ascii;
import static dev.exit137.oomreport.parse.OomLine.ABSENT;

import dev.exit137.oomreport.parse.OomLine.Kind;

/**
 * The process that asked for memory when there was none. Only its name comes before, and a name may hold any bytes.
 */
final class TriggerLine {
    private static final int MAX_ESCAPED_COMM_BYTES = 4 * OomLine.MAX_COMM_BYTES;
    private static final int MAX_OOM_ADJ = 1000;

    private static final byte[] INVOKED = ascii(" invoked oom-killer");
    private static final byte[] GFP_MASK = ascii(": gfp_mask=");
    private static final byte[] NODEMASK = ascii(", nodemask=");
    private static final byte[] NO_NODEMASK = ascii("(null)");
    private static final byte[] COMMA = ascii(",");
    private static final byte[] SPACE = ascii(" ");
    private static final byte[] ORDER = ascii("order=");
    private static final byte[] OOMKILLADJ = ascii(", oomkilladj=");
    private static final byte[] OOM_ADJ = ascii(", oom_adj=");
    private static final byte[] OOM_SCORE_ADJ = ascii(", oom_score_adj=");
    private static final byte[] ADJ = ascii("adj=");
    private static final byte[] CPUSET = ascii(" cpuset=");
    private static final byte[] MEMS_ALLOWED = ascii(" mems_allowed=");

    private static final byte[] CPU = ascii("CPU: ");
    private static final byte[] CPU_UID = ascii(" UID: ");
    private static final byte[] CPU_PID = ascii(" PID: ");
    private static final byte[] CPU_COMM = ascii(" Comm: ");
    private static final byte[] PID = ascii("Pid: ");
    private static final byte[] PID_COMM = ascii(", comm: ");
    private static final byte[] KDUMP_LOADED = ascii(" Kdump: loaded");
    private static final byte[] NOT_TAINTED = ascii(" Not tainted ");
    private static final byte[] TAINTED = ascii(" Tainted: ");

    private TriggerLine() {}

    /**
     * Whether {@code text[start, end)} may be a line that begins with a name. Its end decides, since that costs other
     * lines nothing: a list of numbers after one of two keys, or two words.
     */
    static boolean isLikely(byte[] text, int start, int end) {
        if (start == end || (text[end - 1] > '=' && text[end - 1] != 'r')) {
            return false;
        }
        int i = end;
        while (i > start && Bytes.isBlank(text[i - 1])) {
            i--;
        }
        while (i > start && Bytes.isListByte(text[i - 1])) {
            i--;
        }
        if (i == start) {
            return false;
        }
        return switch (text[i - 1]) {
            case '=' -> Bytes.isBefore(text, start, i, ADJ) || Bytes.isBefore(text, start, i, MEMS_ALLOWED);
            case 'r' -> Bytes.isBefore(text, start, i, INVOKED);
            default -> false;
        };
    }

    static void parse(TextCursor text, OomLine line) {
        int list = text.findTrailingNodeList();
        if (Bytes.isBefore(text.buffer(), text.position(), list, MEMS_ALLOWED)) {
            parseCpuset(text, line, list);
        } else {
            parseInvoked(text, line);
        }
    }

    /**
     * runc:[2:INIT] invoked oom-killer: gfp_mask=0x500cc2(GFP_HIGHUSER|__GFP_ACCOUNT), order=0, oom_score_adj=0
     *
     * <p>node invoked oom-killer: gfp_mask=0x14000c0(GFP_KERNEL), nodemask=(null), order=0, oom_score_adj=969 (4.9 to 4.20;
     * two spaces before the order in 4.11 to 4.14)
     *
     * <p>sshd invoked oom-killer: gfp_mask=0x201da, order=0, oom_adj=-17, oom_score_adj=-1000 (2.6.36; without the second
     * from 2.6.31; oomkilladj=0 before)
     *
     * <p>Only a comm may come before, and nothing after: a device may have a name with these words in it, and the
     * kernel prints such a name with other words before and after.
     */
    private static void parseInvoked(TextCursor text, OomLine line) {
        int invoked = readComm(text, line, INVOKED);
        if (invoked < 0) {
            return;
        }
        text.position(invoked);
        text.skip(INVOKED);
        if (text.atEnd()) {
            // The line was shortened later: the kernel does not print it so.
            line.kind = Kind.INVOKED;
            return;
        }
        if (!text.skip(GFP_MASK)) {
            return;
        }
        int gfpMask = text.position();
        int gfpMaskEnd = text.find(COMMA, gfpMask);
        if (gfpMaskEnd < 0) {
            return;
        }
        line.gfpMask.set(text.buffer(), gfpMask, gfpMaskEnd - gfpMask);
        text.position(gfpMaskEnd);
        if (text.skip(NODEMASK)) {
            text.nodemask(line.nodemask);
        }
        boolean separated = text.skip(COMMA) && text.skip(SPACE);
        text.skip(SPACE);
        line.order = text.signed(ORDER, Integer.MAX_VALUE);
        if (!separated || line.order == ABSENT) {
            return;
        }
        if (text.signed(OOMKILLADJ, MAX_OOM_ADJ) == ABSENT) {
            text.signed(OOM_ADJ, MAX_OOM_ADJ);
            line.oomScoreAdj = text.signed(OOM_SCORE_ADJ, OomLineParser.MAX_OOM_SCORE_ADJ);
        }
        if (text.atEnd()) {
            line.kind = Kind.INVOKED;
        }
    }

    /**
     * stress invoked oom-killer: gfp_mask=0x6000c0(GFP_KERNEL), nodemask=(null), order=0, oo0
     *
     * <p>The beginning of a line that a terminal or a pager cut. Its last character may be anything: a terminal writes
     * all further characters over it, a pager shows {@code >} there. So the rest must be the beginning of such a line, and
     * a field counts only when the text after it is there.
     */
    static void parseCut(TextCursor text, OomLine line) {
        int invoked = readComm(text, line, INVOKED);
        if (invoked < 0) {
            return;
        }
        text.position(invoked);
        text.trimLastCharacter();
        if (text.skip(INVOKED) && text.skip(GFP_MASK) && isCutGfpMask(text, line)) {
            line.kind = Kind.INVOKED;
        }
    }

    private static boolean isCutGfpMask(TextCursor text, OomLine line) {
        int gfpMask = text.position();
        int end = text.find(COMMA, gfpMask);
        if (end < 0) {
            return text.find(SPACE, gfpMask) < 0;
        }
        line.gfpMask.set(text.buffer(), gfpMask, end - gfpMask);
        text.position(end);
        if (text.skipOrCut(NODEMASK) && !text.skipOrCut(NO_NODEMASK)) {
            text.nodemask(line.nodemask);
        }
        text.skipOrCut(COMMA);
        text.skipOrCut(SPACE);
        text.skipOrCut(SPACE);
        line.order = text.signed(ORDER, Integer.MAX_VALUE);
        if (line.order == ABSENT) {
            line.nodemask.clear();
            return text.skipOrCut(ORDER) && text.atEnd();
        } else if (text.atEnd()) {
            line.order = ABSENT;
            return true;
        }
        text.signed(OOM_ADJ, MAX_OOM_ADJ);
        return (text.skipOrCut(OOM_SCORE_ADJ) || text.skipOrCut(OOM_ADJ) || text.skipOrCut(OOMKILLADJ)) && text.atEnd();
    }

    /** CPU 0/KVM cpuset=vcpu0 mems_allowed=0-1 (2.6.30 to 4.20; failed allocations print it, too) */
    private static void parseCpuset(TextCursor text, OomLine line, int memsAllowed) {
        int end = memsAllowed - MEMS_ALLOWED.length;
        int cpuset = readComm(text, line, CPUSET);
        int from = cpuset + CPUSET.length;
        if (cpuset < 0 || from > end) {
            return;
        }
        line.cpuset.set(text.buffer(), from, end - from);
        line.memsAllowed.set(text.buffer(), memsAllowed, text.end() - memsAllowed);
        line.kind = Kind.CPUSET;
    }

    /** Reads the name before {@code word} and returns the start of the word, or -1 if anything but a name is there. */
    private static int readComm(TextCursor text, OomLine line, byte[] word) {
        int start = text.position();
        int end = text.find(word, start, start + MAX_ESCAPED_COMM_BYTES + 1);
        if (end >= 0) {
            line.comm.set(text.buffer(), start, end - start);
        }
        return end < 0 || line.comm.isTruncated() ? -1 : end;
    }

    /**
     * CPU: 1 PID: 6736 Comm: leaker Kdump: loaded Not tainted 5.3.0-rc3+ #936
     *
     * <p>CPU: 1 UID: 0 PID: 74 Comm: kworker/u17:0 Not tainted 6.16.0-00015-gf09eb0d6badc #102 PREEMPT(full) (from 6.11)
     */
    static void parseCpu(TextCursor text, OomLine line) {
        line.cpu = text.number(CPU, Integer.MAX_VALUE);
        line.uid = text.number(CPU_UID, OomLineParser.MAX_UID);
        line.pid = text.number(CPU_PID, Integer.MAX_VALUE);
        if (line.cpu != ABSENT && line.pid != ABSENT && text.skip(CPU_COMM)) {
            readCommBeforeTaint(text, line);
        }
    }

    /** Pid: 24113, comm: sshd Not tainted 2.6.32-431.11.2.el6.x86_64 #1 (to 3.9) */
    static void parsePid(TextCursor text, OomLine line) {
        line.pid = text.number(PID, Integer.MAX_VALUE);
        if (line.pid != ABSENT && text.skip(PID_COMM)) {
            readCommBeforeTaint(text, line);
        }
    }

    private static void readCommBeforeTaint(TextCursor text, OomLine line) {
        line.kind = Kind.TRIGGER_CPU;
        int comm = text.position();
        int end = Math.max(text.findLast(NOT_TAINTED, comm), text.findLast(TAINTED, comm));
        if (end < 0) {
            return;
        }
        int kdump = end - KDUMP_LOADED.length;
        line.comm.set(text.buffer(), comm, (kdump >= comm && text.at(kdump, KDUMP_LOADED) ? kdump : end) - comm);
        if (line.comm.isTruncated()) {
            line.comm.clear();
        }
    }
}
