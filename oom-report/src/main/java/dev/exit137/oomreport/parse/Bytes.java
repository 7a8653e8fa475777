package dev.exit137.oomreport.parse;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * Small tests of ASCII-framed text, on its bytes in place. Comparisons take eight bytes at a time: the C1 compiler, the
 * only one the agent runs with, does not vectorize them. Any thread.
 */
public final class Bytes {
    /** More digits than any number of the kernel, and no overflow of a long. */
    static final int MAX_DIGITS = 18;

    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final long ONES = 0x0101_0101_0101_0101L;
    private static final long HIGH_BITS = 0x8080_8080_8080_8080L;

    static {
        // C1 does not inline a method that was never called before, and compiles only once.
        byte[] sample = ascii("sixteen bytes...\n");
        isAt(sample, 0, sample);
        indexOfNewline(sample, 0);
    }

    private Bytes() {}

    /** The text's bytes, one for each character. */
    public static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    /** 0 to 9. */
    public static boolean isDigit(byte b) {
        return b >= '0' && b <= '9';
    }

    /** A to Z, a to z. */
    public static boolean isLetter(byte b) {
        return (b | 0x20) >= 'a' && (b | 0x20) <= 'z';
    }

    static boolean isBlank(byte b) {
        return b == ' ' || b == '\t' || b == '\r';
    }

    /** Whether it can be in a list of nodes, {@code 0-1,3}. */
    static boolean isListByte(byte b) {
        return isDigit(b) || b == '-' || b == ',';
    }

    /** Whether {@code word} is at {@code index} of the text, which is long enough. */
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

    /** Whether {@code word} is right before {@code index}, and not before {@code start}. */
    static boolean isBefore(byte[] text, int start, int index, byte[] word) {
        return index - word.length >= start && isAt(text, index - word.length, word);
    }

    /** Whether {@code word} is at {@code index}, which may be any, and ends at {@code to} or before. */
    public static boolean at(byte[] text, int index, int to, byte[] word) {
        return index >= 0 && index + word.length <= to && isAt(text, index, word);
    }

    /** Whether {@code character} is at {@code index}, which may be any, and before {@code to}. */
    public static boolean at(byte[] text, int index, int to, char character) {
        return index >= 0 && index < to && text[index] == character;
    }

    /** Index of the first {@code word} in [from, to), or -1. */
    public static int find(byte[] text, int from, int to, byte[] word) {
        byte first = word[0];
        int last = to - word.length;
        for (int i = from; i <= last; i++) {
            if (text[i] == first && isAt(text, i, word)) {
                return i;
            }
        }
        return -1;
    }

    /** Index of the first byte in [from, to) that is no digit, or {@code to}. */
    public static int skipDigits(byte[] text, int from, int to) {
        int i = from;
        while (i < to && isDigit(text[i])) {
            i++;
        }
        return i;
    }

    /** Index of the first byte in [from, to) that is no space (a tab is none), or {@code to}. */
    public static int skipSpaces(byte[] text, int from, int to) {
        int i = from;
        while (i < to && text[i] == ' ') {
            i++;
        }
        return i;
    }

    /** The number of the digits in [from, to), or -1 for none and for more digits than certainly fit a long. */
    public static long number(byte[] text, int from, int to) {
        if (from >= to || to - from > MAX_DIGITS) {
            return -1;
        }
        long value = 0;
        for (int i = from; i < to; i++) {
            value = 10 * value + (text[i] - '0');
        }
        return value;
    }

    /** Index of the first newline of {@code text[from, …)}, which has one. */
    static int indexOfNewline(byte[] text, int from) {
        int i = from;
        // An array's bytes begin 12 bytes into it, and C1 reads only aligned bytes in one access.
        while ((i + 12) % Long.BYTES != 0) {
            if (text[i] == '\n') {
                return i;
            }
            i++;
        }
        for (int last = text.length - Long.BYTES; i <= last; i += Long.BYTES) {
            // A zero byte borrows when one is subtracted.
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
