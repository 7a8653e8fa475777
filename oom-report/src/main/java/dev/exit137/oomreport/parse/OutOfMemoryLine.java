package dev.exit137.oomreport.parse;

import static dev.exit137.oomreport.parse.Bytes.ascii;
import static dev.exit137.oomreport.parse.OomLine.ABSENT;

import dev.exit137.oomreport.parse.OomLine.Kind;
import dev.exit137.oomreport.parse.OomLine.Wording;

/** The lines that begin with the resource that has run out, followed by the kernel's action. */
final class OutOfMemoryLine {
    private static final long MAX_SCORE = 0xffff_ffffL;

    private static final byte[] OUT_OF_MEMORY = ascii("Out of memory");
    private static final byte[] OUT_OF_MEMORY_UPPER = ascii("Out of Memory");
    private static final byte[] OUT_OF_MEMORY_LOWER = ascii("out of memory");
    private static final byte[] MEMCG = ascii("Memory cgroup out of memory");
    private static final byte[] MPOL_BIND = ascii("No available memory (MPOL_BIND)");
    private static final byte[] CPUSET = ascii("No available memory in cpuset");
    private static final byte[] NO_KILLABLE = ascii(" and no killable processes");
    private static final byte[] COLON = ascii(": ");
    private static final byte[] KILL = ascii("Kill process ");
    private static final byte[] KILL_LOWER = ascii("kill process ");
    private static final byte[] OOM_VICTIM = ascii("OOM victim ");
    private static final byte[] COMM = ascii(" (");
    private static final byte[] SCORE = ascii(") score ");
    private static final byte[] EXITING = ascii(") is already exiting");

    private static final byte[] PANIC = ascii("Kernel panic - not syncing: ");
    private static final byte[] DEADLOCKED = ascii("System is deadlocked on memory");
    private static final byte[] OF_MEMCG = ascii("(memcg)");
    private static final byte[] PANIC_ON_OOM = ascii("panic_on_oom");
    private static final byte[] COMPULSORY = ascii("ompulsory ");

    private OutOfMemoryLine() {}

    /** Reads the line; if it does not begin like that, the wording stays NONE and the cursor does not move. */
    static void parse(TextCursor text, OomLine line) {
        line.wording = wording(text);
        if (line.wording == Wording.NONE) {
            return;
        }
        if (text.at(text.position(), NO_KILLABLE)) {
            // Out of memory and no killable processes... (printed for a memory cgroup, too)
            line.wording = line.wording == Wording.MEMCG ? Wording.MEMCG : Wording.NONE;
            line.kind = Kind.NO_KILLABLE_PROCESS;
            return;
        }
        int colon = text.find(COLON, text.position());
        if (colon < 0) {
            return;
        }
        text.position(colon);
        text.skip(COLON);
        if (text.skip(KilledLine.KILLED)) {
            KilledLine.parse(text, line);
        } else if (text.at(text.position(), OOM_VICTIM)) {
            parseExiting(text, line);
        } else {
            parseChosen(text, line);
        }
    }

    private static Wording wording(TextCursor text) {
        if (text.skip(MEMCG)) {
            return Wording.MEMCG;
        } else if (text.skip(OUT_OF_MEMORY) || text.skip(OUT_OF_MEMORY_UPPER) || text.skip(OUT_OF_MEMORY_LOWER)) {
            return Wording.NODE;
        } else if (text.skip(CPUSET)) {
            return Wording.CPUSET;
        }
        return text.skip(MPOL_BIND) ? Wording.MEMORY_POLICY : Wording.NONE;
    }

    /**
     * Out of memory: Kill process 3882 (python) score 623 or sacrifice child (2.6.36 to 5.0)
     *
     * <p>No available memory (MPOL_BIND): kill process 1503 (numa) score 0 or a child (before)
     */
    private static void parseChosen(TextCursor text, OomLine line) {
        line.pid = text.number(KILL, Integer.MAX_VALUE);
        if (line.pid == ABSENT) {
            line.pid = text.number(KILL_LOWER, Integer.MAX_VALUE);
        }
        int end = readComm(text, line, SCORE);
        if (end < 0) {
            return;
        }
        line.kind = Kind.CHOSEN;
        text.position(end);
        long score = text.number(SCORE, MAX_SCORE);
        if (text.peek() == ' ') {
            line.oomScore = score;
        }
    }

    /** Memory cgroup out of memory: OOM victim 4711 (stress) is already exiting. Skip killing the task (from 5.1) */
    private static void parseExiting(TextCursor text, OomLine line) {
        line.pid = text.number(OOM_VICTIM, Integer.MAX_VALUE);
        if (readComm(text, line, EXITING) >= 0) {
            line.kind = Kind.ALREADY_EXITING;
        }
    }

    /** Reads the name up to the last {@code word}, and returns the end of the name, or -1. */
    private static int readComm(TextCursor text, OomLine line, byte[] word) {
        if (line.pid == ABSENT || !text.skip(COMM)) {
            return -1;
        }
        int end = text.findLast(word, text.position());
        if (end >= 0) {
            line.comm.set(text.buffer(), text.position(), end - text.position());
        }
        return line.comm.isTruncated() ? -1 : end;
    }

    /**
     * Kernel panic - not syncing: System is deadlocked on memory (from 4.20: nothing to kill, and no memory cgroup's OOM)
     *
     * <p>Kernel panic - not syncing: Out of memory and no killable processes... (before)
     *
     * <p>Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled (from 2.6.36; compulsory panics
     * in every kind of OOM)
     *
     * <p>Kernel panic - not syncing: out of memory. panic_on_oom is selected (before; out of memory(memcg). … in 2.6.35)
     */
    static void parsePanic(TextCursor text, OomLine line) {
        if (!text.skip(PANIC)) {
            return;
        }
        if (text.at(text.position(), DEADLOCKED)) {
            line.wording = Wording.NODE;
            line.kind = Kind.PANIC;
        } else if (wording(text) == Wording.NODE
                && (text.at(text.position(), NO_KILLABLE) || text.contains(PANIC_ON_OOM))) {
            line.wording =
                    text.contains(COMPULSORY) ? Wording.NONE : text.contains(OF_MEMCG) ? Wording.MEMCG : Wording.NODE;
            line.kind = Kind.PANIC;
        }
    }
}
