package dev.exit137.cli.analyze;

import dev.exit137.oomreport.parse.Bytes;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Finds the next place in a log where a line of an OOM report may be, and skips all else at a fraction of a nanosecond
 * per byte. All search words have eight bytes, so six trigrams. So the scan reads only one of six consecutive trigrams
 * of the log, and few of them are in a word.
 */
final class AnchorScan {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    /** Eight bytes of each line that matters even without an open report. They are rare in ordinary lines. */
    private static final long[] ANCHORS = anchors(
            "oom-kill", // x invoked oom-killer: …; oom-kill:constraint=…
            "ill proc", // Out of memory: Kill process …; kill process …
            "lled pro", // Killed process …
            "of limit", // Task in … killed as a result of limit of …
            "om.group", // Tasks in … are going to be killed due to memory.oom.group set
            "y exitin", // OOM victim … is already exiting. Skip killing the task
            ": usage ", // memory: usage …; memory+swap: usage …; kmem: usage …
            "p stats ", // Memory cgroup stats for …
            "f memory", // Out of memory and no killable processes...; panic: Out of memory
            "n memory", // panic: System is deadlocked on memory
            "oom_kill", // oom_kill_process: 70 callbacks suppressed; other functions say so, too, and often
            "dump_hea", // dump_header: 70 callbacks suppressed
            "cation f", // page allocation failure: its Mem-Info is not an OOM's
            "Mem-Info",
            "Mem-info",
            "total_vm"); // the header of the task table

    private static final long NEWLINES = 0x0a0a0a0a0a0a0a0aL;
    private static final long EVEN_BYTES = 0x00ff_00ff_00ff_00ffL;
    private static final long LOW_BITS = 0x7f7f7f7f7f7f7f7fL;

    private static final int TRIGRAM = 3;
    private static final int STRIDE = Long.BYTES - TRIGRAM + 1;
    private static final int SECOND = Long.BYTES - TRIGRAM;
    private static final int ALL_OFFSETS = (1 << STRIDE) - 1;
    private static final int TRIGRAM_BITS = 0xff_ffff;
    private static final int HASH_BITS = 13;

    /** By a trigram's hash: its offsets in an anchor, one bit each. */
    private static final byte[] OFFSETS = offsets();

    private AnchorScan() {}

    private static long[] anchors(String... words) {
        return Arrays.stream(words).mapToLong(AnchorScan::anchor).toArray();
    }

    private static long anchor(String word) {
        return (long) LONG.get(Bytes.ascii(word), 0);
    }

    private static byte[] offsets() {
        byte[] offsets = new byte[1 << HASH_BITS];
        for (long anchor : ANCHORS) {
            for (int i = 0; i < STRIDE; i++) {
                offsets[hash((int) (anchor >>> (Byte.SIZE * i)))] |= (byte) (1 << i);
            }
        }
        return offsets;
    }

    /** The hash of the lower three bytes. */
    private static int hash(int trigram) {
        return ((trigram & TRIGRAM_BITS) * 0x9e37_79b1) >>> (Integer.SIZE - HASH_BITS);
    }

    /** The start of the first anchor in [from, to), or -1. */
    static int find(byte[] text, int from, int to) {
        int last = to - Long.BYTES;
        int i = from;
        // Eight bytes have two of the trigrams to be looked at; the next one is a stride behind the second.
        for (; i <= last; i += SECOND + STRIDE) {
            long bytes = (long) LONG.get(text, i);
            int first = OFFSETS[hash((int) bytes)];
            int second = OFFSETS[hash((int) (bytes >>> (Byte.SIZE * SECOND)))];
            if ((first | second) != 0) {
                int anchor = anchorAround(text, i, first, from, to);
                anchor = anchor >= 0 ? anchor : anchorAround(text, i + SECOND, second, from, to);
                if (anchor >= 0) {
                    return anchor;
                }
            }
        }
        return anchorAround(text, i, ALL_OFFSETS, from, to);
    }

    /** The anchor that has one of these offsets at {@code at}, or -1. */
    private static int anchorAround(byte[] text, int at, int offsets, int from, int to) {
        for (int offset = STRIDE - 1; offset >= 0; offset--) {
            int start = at - offset;
            if ((offsets >> offset & 1) != 0
                    && start >= from
                    && start <= to - Long.BYTES
                    && isAnchor((long) LONG.get(text, start))) {
                return start;
            }
        }
        return -1;
    }

    private static boolean isAnchor(long window) {
        for (long anchor : ANCHORS) {
            if (anchor == window) {
                return true;
            }
        }
        return false;
    }

    /** The number of newlines in [from, to). */
    static int newlines(byte[] text, int from, int to) {
        int count = 0;
        int i = from;
        while (i <= to - Long.BYTES) {
            // A count in each byte, at most 255 of them; Long.bitCount would be a call, where C2 does not compile.
            int end = Math.min(to - Long.BYTES, i + 254 * Long.BYTES);
            long counts = 0;
            for (; i <= end; i += Long.BYTES) {
                long bytes = (long) LONG.get(text, i) ^ NEWLINES;
                // The high bit of each byte that is 0, exactly: no carry leaves a byte.
                counts += ~((bytes & LOW_BITS) + LOW_BITS | bytes | LOW_BITS) >>> 7;
            }
            counts = (counts & EVEN_BYTES) + (counts >>> 8 & EVEN_BYTES);
            count += (int) ((counts * 0x0001_0001_0001_0001L) >>> 48);
        }
        for (; i < to; i++) {
            count += text[i] == '\n' ? 1 : 0;
        }
        return count;
    }
}
