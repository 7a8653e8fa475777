package dev.exit137.cli.analyze;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Finds the next place in a log where a line of an OOM report may be, and passes over all else at a fraction of a
 * nanosecond per byte: Wu and Manber's search for many words, all of eight bytes, so that most bytes are not looked at.
 */
final class AnchorScan {
  private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  /** Eight bytes out of each line that an open report is not needed for. Ordinary lines have them seldom. */
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
      "s suppre", // oom_kill_process: 70 callbacks suppressed
      "cation f", // page allocation failure: its Mem-Info is not an OOM's
      "Mem-Info",
      "Mem-info",
      "total_vm"); // the header of the task table

  private static final long NEWLINES = 0x0a0a0a0a0a0a0a0aL;
  private static final long EVEN_BYTES = 0x00ff_00ff_00ff_00ffL;
  private static final long LOW_BITS = 0x7f7f7f7f7f7f7f7fL;

  /** By the last two bytes of a window: how far the window can move on. */
  private static final byte[] SHIFT = shifts();

  private AnchorScan() {}

  private static long[] anchors(String... words) {
    return Arrays.stream(words).mapToLong(AnchorScan::anchor).toArray();
  }

  private static long anchor(String word) {
    return (long) LONG.get(word.getBytes(StandardCharsets.US_ASCII), 0);
  }

  private static byte[] shifts() {
    byte[] shifts = new byte[1 << 12];
    Arrays.fill(shifts, (byte) (Long.BYTES - 1));
    for (long anchor : ANCHORS) {
      for (int i = 0; i < Long.BYTES - 1; i++) {
        int pair = pair((byte) (anchor >>> 8 * i), (byte) (anchor >>> 8 * (i + 1)));
        shifts[pair] = (byte) Math.min(shifts[pair], Long.BYTES - 2 - i);
      }
    }
    return shifts;
  }

  private static int pair(byte first, byte second) {
    return first & 63 | (second & 63) << 6;
  }

  /** Where the first anchor in [from, to) begins, or -1. */
  static int find(byte[] text, int from, int to) {
    int last = to - 2;
    for (int i = from + Long.BYTES - 2; i <= last; ) {
      int shift = SHIFT[pair(text[i], text[i + 1])];
      if (shift == 0) {
        int start = i - (Long.BYTES - 2);
        if (isAnchor((long) LONG.get(text, start))) {
          return start;
        }
        shift = 1;
      }
      i += shift;
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

  /** How many newlines [from, to) has. */
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
      count += (int) (counts * 0x0001_0001_0001_0001L >>> 48);
    }
    for (; i < to; i++) {
      count += text[i] == '\n' ? 1 : 0;
    }
    return count;
  }
}
