package dev.exit137.oomreport.parse;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Comparisons eight bytes at a time: the first compiler, all that the agent runs with, does not make them so. */
final class Bytes {
  private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final long ONES = 0x0101_0101_0101_0101L;
  private static final long HIGH_BITS = 0x8080_8080_8080_8080L;

  static {
    // The first compiler does not inline what was never called before, and compiles but once.
    byte[] sample = "sixteen bytes...\n".getBytes(StandardCharsets.US_ASCII);
    isAt(sample, 0, sample);
    indexOfNewline(sample, 0);
  }

  private Bytes() {}

  /** Whether {@code word} stands at {@code index} of the text, which is long enough. */
  static boolean isAt(byte[] text, int index, byte[] word) {
    int i = 0;
    for (int last = word.length - Long.BYTES; i <= last; i += Long.BYTES) {
      if ((long) LONGS.get(text, index + i) != (long) LONGS.get(word, i)) {
        return false;
      }
    }
    while (i < word.length) {
      if (text[index + i] != word[i]) {
        return false;
      }
      i++;
    }
    return true;
  }

  /** Index of the first newline of {@code text[from, …)}, which has one. */
  static int indexOfNewline(byte[] text, int from) {
    int i = from;
    // An array's bytes begin 12 bytes into it, and the first compiler reads but what is aligned in one go.
    while ((i + 12) % Long.BYTES != 0) {
      if (text[i] == '\n') {
        return i;
      }
      i++;
    }
    for (int last = text.length - Long.BYTES; i <= last; i += Long.BYTES) {
      // A byte of zero is where subtracting one borrows.
      long zero = (long) LONGS.get(text, i) ^ ONES * '\n';
      long found = zero - ONES & ~zero & HIGH_BITS;
      if (found != 0) {
        return i + Long.numberOfTrailingZeros(found) / Byte.SIZE;
      }
    }
    while (text[i] != '\n') {
      i++;
    }
    return i;
  }
}
