package dev.exit137.oomreport.parse;

import static dev.exit137.oomreport.parse.Bytes.ascii;
import static dev.exit137.oomreport.parse.OomLine.ABSENT;

/** The one line that every kill has: it is not rate-limited. */
final class KilledLine {
    static final byte[] KILLED = ascii("Killed process ");
    private static final byte[] COMM = ascii(" (");
    private static final byte[] COMM_END = ascii(")");
    private static final byte[] FULL_STOP = ascii(".");
    private static final byte[] COMMA_UID = ascii(", UID ");
    private static final byte[] COMMA = ascii(",");
    private static final byte[] TOTAL_VM = ascii(" total-vm:");
    private static final byte[] VSZ = ascii(" vsz:");
    private static final byte[] KB_ANON_RSS = ascii("kB, anon-rss:");
    private static final byte[] ANON_RSS = ascii(", anon-rss:");
    private static final byte[] FILE_RSS = ascii(", file-rss:");
    private static final byte[] SHMEM_RSS = ascii(", shmem-rss:");
    private static final byte[] UID = ascii(", UID:");
    private static final byte[] PGTABLES = ascii(" pgtables:");
    private static final byte[] OOM_SCORE_ADJ = ascii(" oom_score_adj:");

    private KilledLine() {}

    /**
     * Reads the text after {@link #KILLED}.
     *
     * <p>Memory cgroup out of memory: Killed process 7788 (bash) total-vm:7169492kB, anon-rss:7165824kB, file-rss:956kB,
     * shmem-rss:0kB, UID:0 pgtables:14076kB oom_score_adj:1000 (5.4 and later; the text comes after the colon)
     *
     * <p>Killed process 3359 (a.out) total-vm:4267252kB, anon-rss:2894908kB, file-rss:0kB, shmem-rss:0kB (4.5 to 5.3)
     *
     * <p>Killed process 2603 (flasherav) total-vm:… (2.6.36; vsz:… from 2.6.33)
     *
     * <p>Killed process 3956 (a.out) (before; with a full stop at its end before 2.6.24)
     *
     * <p>Text that a later kernel adds at the end is skipped: to miss a kill would be worse. A line that was cut after
     * the name counts, too.
     */
    static void parse(TextCursor text, OomLine line) {
        line.pid = text.number(Integer.MAX_VALUE);
        if (line.pid == ABSENT || !readUid(text, line) || !text.skip(COMM)) {
            return;
        }
        int comm = text.position();
        int commEnd = findCommEnd(text, line);
        if (commEnd < 0) {
            return;
        }
        line.comm.set(text.buffer(), comm, commEnd - comm);
        if (line.comm.isTruncated() && line.totalVmBytes == ABSENT) {
            return;
        }
        line.anonRssBytes = text.sizeBytes();
        line.fileRssBytes = text.sizeBytes(FILE_RSS);
        line.shmemRssBytes = text.sizeBytes(SHMEM_RSS);
        long uid = text.number(UID, OomLineParser.MAX_UID);
        line.uid = uid == ABSENT ? line.uid : uid;
        line.pgtablesBytes = text.sizeBytes(PGTABLES);
        line.oomScoreAdj = text.signed(OOM_SCORE_ADJ, OomLineParser.MAX_OOM_SCORE_ADJ);
        line.kind = OomLine.Kind.KILLED;
    }

    /**
     * Finds the end of the comm. A comm may hold {@code ) (} and even {@code ) total-vm:1kB}, but not
     * {@code ) total-vm:1kB, anon-rss:}, which is longer than any comm. So the first of these is the true one; the sizes
     * come next. A line without it is from a kernel that prints no sizes, or was cut: then the last possible end is
     * taken. This may leave out the end of such a comm, and the text after it does not count.
     */
    private static int findCommEnd(TextCursor text, OomLine line) {
        int last = -1;
        int end = text.find(COMM_END, text.position());
        while (end >= 0) {
            text.position(end + COMM_END.length);
            if (readTotalVm(text, line)) {
                return end;
            }
            text.position(end + COMM_END.length);
            if (isCutTail(text)) {
                last = end;
            }
            end = text.find(COMM_END, end + 1);
        }
        text.position(text.end());
        return last;
    }

    /** Reads up to the number of {@code anon-rss}, and returns whether all is there. */
    private static boolean readTotalVm(TextCursor text, OomLine line) {
        long uidBefore = line.uid;
        if (readUid(text, line)) {
            line.totalVmBytes = text.sizeBytes(TOTAL_VM);
            if (line.totalVmBytes == ABSENT) {
                line.totalVmBytes = text.sizeBytes(VSZ);
            }
            if (line.totalVmBytes != ABSENT && text.skip(ANON_RSS)) {
                return true;
            }
        }
        line.uid = uidBefore;
        line.totalVmBytes = ABSENT;
        return false;
    }

    /**
     * Killed process 13550, UID 500, (java) total-vm:12466024kB, anon-rss:7625016kB, file-rss:2608kB (RHEL 6)
     *
     * <p>Killed process 42452 (memcg_test_1), UID 0, total-vm:7296kB, anon-rss:96kB, file-rss:164kB (RHEL 7)
     *
     * @return false when a comma is there and the rest is incomplete
     */
    private static boolean readUid(TextCursor text, OomLine line) {
        if (text.peek() != ',') {
            return true;
        }
        line.uid = text.number(COMMA_UID, OomLineParser.MAX_UID);
        return line.uid != ABSENT && text.skip(COMMA);
    }

    /** Whether the line ends where the sizes begin, or before them. */
    private static boolean isCutTail(TextCursor text) {
        if (text.skip(FULL_STOP)) {
            return text.atEnd();
        }
        if (text.peek() == ',' && !(text.skipOrCut(COMMA_UID) && text.skipDigits() && text.skipOrCut(COMMA))) {
            return false;
        }
        boolean cut =
                (text.skipOrCut(TOTAL_VM) || text.skipOrCut(VSZ)) && text.skipDigits() && text.skipOrCut(KB_ANON_RSS);
        return cut && text.atEnd();
    }
}
