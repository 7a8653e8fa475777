package dev.exit137.oomreport.parse;

import static dev.exit137.oomreport.parse.Bytes.ascii;
import static dev.exit137.oomreport.parse.OomLine.ABSENT;

import dev.exit137.oomreport.parse.OomLine.Kind;
import dev.exit137.oomreport.parse.OomLine.Wording;

/**
 * Recognizes and reads the lines of an OOM report, as kernels since 2.6.24 print them. Reads bytes in place, allocates
 * nothing and accepts any bytes without an exception. Belongs to one thread.
 *
 * <p>The parser judges only the text. The caller first checks that the record is the kernel's
 * ({@link KmsgRecordFlyweight#facility} 0).
 */
public final class OomLineParser {
    static final long MAX_UID = 0xffff_ffffL;
    static final long MAX_OOM_SCORE_ADJ = 1000;

    /** Longer than any record: CONSOLE_EXT_LOG_MAX is 8192 bytes (kernel/printk/internal.h). */
    private static final int MAX_LINE_BYTES = 16 * 1024;

    /** First words of the report lines that do not begin with a name, by their first byte. */
    private static final byte[][] BEGINNINGS = new byte[128][];

    static {
        for (String beginning : new String[] {
            "CPU: ",
            "Pid: ",
            "memory",
            "swap: ",
            "kmem: ",
            "Task",
            "Memory ",
            "Out of ",
            "No available ",
            "K",
            "dump_header: ",
            "o"
        }) {
            BEGINNINGS[beginning.charAt(0)] = ascii(beginning);
        }
    }

    private static final byte[] REAPED = ascii("oom_reaper: reaped process ");
    private static final byte[] REAPED_COMM = ascii(" (");
    private static final byte[] REAPED_ANON_RSS = ascii("), now anon-rss:");
    private static final byte[] FILE_RSS = ascii(", file-rss:");
    private static final byte[] SHMEM_RSS = ascii(", shmem-rss:");
    private static final byte[] SUPPRESSED_REPORT = ascii("oom_kill_process: ");
    private static final byte[] SUPPRESSED_HEADER = ascii("dump_header: ");
    private static final byte[] SUPPRESSED = ascii(" callbacks suppressed");

    private final TextCursor text = new TextCursor();

    /**
     * Reads the record's message into {@code line}. The kind is NONE for any other line and for an invalid record. It is
     * also NONE for a line that begins with a name in a record with a dictionary, because the kernel's reports have no
     * dictionary.
     */
    public void parse(KmsgRecordFlyweight record, OomLine line) {
        byte[] buffer = record.buffer();
        int start = record.messageOffset();
        int end = record.isValid() ? record.lastNewline() : start;
        // Most lines are of no report, and their first and last bytes show it: the end of the message is not needed.
        boolean named = TriggerLine.isLikely(buffer, start, end);
        if (named || isLikelyStart(buffer, start, end)) {
            int messageEnd = start + record.messageLength();
            parse(buffer, start, messageEnd, named && messageEnd == end, line);
        } else {
            line.reset();
        }
    }

    private static boolean isLikelyStart(byte[] text, int start, int end) {
        byte[] beginning = start < end ? BEGINNINGS[text[start] & 0x7f] : null;
        return beginning != null && start + beginning.length <= end && Bytes.isAt(text, start, beginning);
    }

    /**
     * Reads the message {@code buffer[from, to)}. It may have blanks at its end that are not the kernel's, and any
     * length.
     */
    public void parse(byte[] buffer, int from, int to, OomLine line) {
        parse(buffer, from, to, TriggerLine.isLikely(buffer, from, to), line);
    }

    /**
     * Reads {@code buffer[from, to)} as the beginning of an {@code invoked oom-killer} line that the program that showed
     * or copied it has cut. No record of the kernel is cut like that.
     */
    public void parseCutTrigger(byte[] buffer, int from, int to, OomLine line) {
        line.clear();
        text.wrap(buffer, from, Math.min(to, from + MAX_LINE_BYTES)).trimEnd();
        TriggerLine.parseCut(text, line);
        if (line.kind == Kind.NONE) {
            line.clear();
        }
    }

    private void parse(byte[] buffer, int from, int to, boolean named, OomLine line) {
        line.reset();
        text.wrap(buffer, from, Math.min(to, from + MAX_LINE_BYTES)).trimEnd();
        if (named) {
            TriggerLine.parse(text, line);
        }
        if (line.kind == Kind.NONE) {
            if (named) {
                line.clear();
                text.position(from);
            }
            parseByStart(line);
            if (line.kind == Kind.NONE) {
                line.clear();
            }
        }
    }

    private void parseByStart(OomLine line) {
        int start = text.position();
        switch (text.peek()) {
            case 'C' -> TriggerLine.parseCpu(text, line);
            case 'P' -> TriggerLine.parsePid(text, line);
            case 'm', 's', 'k' -> MemcgLine.parseUsage(text, line);
            case 'T' -> MemcgLine.parseTask(text, line);
            case 'M' -> {
                OutOfMemoryLine.parse(text, line);
                if (line.wording == Wording.NONE) {
                    MemcgLine.parseMemory(text, line);
                }
            }
            case 'O', 'N' -> OutOfMemoryLine.parse(text, line);
            case 'K' -> {
                if (text.skip(KilledLine.KILLED)) {
                    KilledLine.parse(text, line);
                } else {
                    OutOfMemoryLine.parsePanic(text, line);
                }
            }
            case 'd' -> parseSuppressed(line);
            case 'o' -> {
                if (text.skip(SummaryLine.START)) {
                    SummaryLine.parse(text, line);
                } else if (text.at(start, REAPED)) {
                    parseReaped(line);
                } else if (text.at(start, SUPPRESSED_REPORT)) {
                    parseSuppressed(line);
                } else {
                    OutOfMemoryLine.parse(text, line);
                }
            }
            default -> {}
        }
    }

    /** oom_reaper: reaped process 1452 (systemd-journal), now anon-rss:0kB, file-rss:8564kB, shmem-rss:4kB (from 4.6) */
    private void parseReaped(OomLine line) {
        line.pid = text.number(REAPED, Integer.MAX_VALUE);
        if (line.pid == ABSENT || !text.skip(REAPED_COMM)) {
            return;
        }
        int comm = text.position();
        // The word is longer than a comm: it cannot be part of one, and so the first is the true one.
        int commEnd = text.find(REAPED_ANON_RSS, comm);
        if (commEnd < 0) {
            return;
        }
        line.comm.set(text.buffer(), comm, commEnd - comm);
        text.position(commEnd);
        line.anonRssBytes = text.sizeBytes(REAPED_ANON_RSS);
        line.fileRssBytes = text.sizeBytes(FILE_RSS);
        line.shmemRssBytes = text.sizeBytes(SHMEM_RSS);
        line.kind = Kind.REAPED;
    }

    /**
     * oom_kill_process: 70 callbacks suppressed (dump_header before 5.0)
     *
     * <p>Other functions print the same with their own names; they suppress other messages than OOM reports.
     */
    private void parseSuppressed(OomLine line) {
        byte[] start = text.peek() == 'd' ? SUPPRESSED_HEADER : SUPPRESSED_REPORT;
        line.suppressedCallbacks = text.number(start, Integer.MAX_VALUE);
        if (line.suppressedCallbacks != ABSENT && text.skip(SUPPRESSED)) {
            line.kind = Kind.CALLBACKS_SUPPRESSED;
        }
    }
}
