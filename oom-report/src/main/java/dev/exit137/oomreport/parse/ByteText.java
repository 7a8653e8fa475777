package dev.exit137.oomreport.parse;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;

/**
 * A reusable text of bytes with a fixed capacity: the kernel's names and paths are bytes of no certain encoding. Only
 * {@link #toString} allocates. Belongs to one thread.
 */
public final class ByteText {
    /** {@code \xNN}: how the kernel prints a byte that is not printable, and the backslash itself. */
    private static final int ESCAPE_LENGTH = 4;

    private final byte[] bytes;
    private int length;
    private boolean truncated;

    /** Empty, with room for {@code capacity} bytes. */
    public ByteText(int capacity) {
        bytes = new byte[capacity];
    }

    /**
     * Takes {@code source[offset, offset + length)} with its {@code \xNN} escapes resolved. Bytes beyond the capacity are
     * left out, and {@link #isTruncated} is then true.
     */
    public void set(byte[] source, int offset, int length) {
        int plain = plainLength(source, offset, Math.min(length, bytes.length));
        System.arraycopy(source, offset, bytes, 0, plain);
        this.length = plain;
        truncated = false;
        if (plain < length) {
            append(source, offset + plain, offset + length);
        }
    }

    private static int plainLength(byte[] source, int offset, int length) {
        int plain = 0;
        while (plain < length && source[offset + plain] != '\\') {
            plain++;
        }
        return plain;
    }

    private void append(byte[] source, int from, int end) {
        int i = from;
        while (i < end) {
            if (length == bytes.length) {
                truncated = true;
                return;
            }
            int escaped = escapedByte(source, i, end);
            bytes[length++] = escaped < 0 ? source[i] : (byte) escaped;
            i += escaped < 0 ? 1 : ESCAPE_LENGTH;
        }
    }

    private static int escapedByte(byte[] source, int at, int end) {
        if (source[at] != '\\' || at + ESCAPE_LENGTH > end || source[at + 1] != 'x') {
            return -1;
        }
        int high = Character.digit(source[at + 2], 16);
        int low = Character.digit(source[at + 3], 16);
        return high < 0 || low < 0 ? -1 : high << 4 | low;
    }

    /** Takes the content of the other; bytes beyond the capacity are left out, and {@link #isTruncated} is then true. */
    public void copyFrom(ByteText other) {
        length = Math.min(other.length, bytes.length);
        truncated = other.truncated || other.length > bytes.length;
        System.arraycopy(other.bytes, 0, bytes, 0, length);
    }

    /** Makes it empty. */
    public void clear() {
        length = 0;
        truncated = false;
    }

    /** Whether it is empty. */
    public boolean isEmpty() {
        return length == 0;
    }

    /** Whether its first byte is this one. */
    public boolean startsWith(char ascii) {
        return length > 0 && bytes[0] == ascii;
    }

    /** Whether the text that it was given was longer than the capacity: then this is its beginning. */
    public boolean isTruncated() {
        return truncated;
    }

    /** Whether both are the same text. A truncated text equals no text, since its end is unknown. */
    public boolean contentEquals(ByteText other) {
        return !truncated && !other.truncated && Arrays.equals(bytes, 0, length, other.bytes, 0, other.length);
    }

    /** The text as UTF-8; bytes that are not UTF-8 come as {@code \xNN}. A truncated text shows its beginning only. */
    @Override
    public String toString() {
        CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT);
        ByteBuffer in = ByteBuffer.wrap(bytes, 0, length);
        CharBuffer out = CharBuffer.allocate(length * ESCAPE_LENGTH);
        CoderResult result = decoder.decode(in, out, true);
        while (result.isMalformed()) {
            for (int i = 0; i < result.length(); i++) {
                out.put("\\x").put(HexFormat.of().toHexDigits(in.get()));
            }
            result = decoder.decode(in, out, true);
        }
        return out.flip().toString();
    }
}
