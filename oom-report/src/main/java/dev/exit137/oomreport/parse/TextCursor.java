package dev.exit137.oomreport.parse;

import static dev.exit137.oomreport.parse.Bytes.ascii;
import static dev.exit137.oomreport.parse.Bytes.isDigit;
import static dev.exit137.oomreport.parse.OomLine.ABSENT;

import java.nio.charset.StandardCharsets;

/**
 * A position in ASCII-framed text, which it reads in place. A failed match leaves the position unchanged; a method that
 * differs documents it. Indices are those of the wrapped array. Only methods that return a String allocate. Belongs to
 * one thread.
 */
public final class TextCursor {
    private static final byte[] NO_NODEMASK = ascii("(null)");

    /** The spelling of a newline within a record: in /dev/kmsg, and by rsyslog. */
    private static final byte[] ESCAPED_NEWLINE = ascii("\\x0a");

    private static final byte[] OCTAL_NEWLINE = ascii("#012");

    /** UTF-8: web pages put it in place of the second of two spaces. */
    private static final byte[] NO_BREAK_SPACE = {(byte) 0xc2, (byte) 0xa0};

    private static final byte[] KB = ascii("kB");
    private static final byte[] UPPER_KB = ascii("KB");

    private static final int MAX_NAME_BYTES = 64;

    /**
     * A page counter without a limit holds LONG_MAX / PAGE_SIZE pages (the res_counters before 3.19: LONG_MAX bytes), so
     * the printed value is 2^53 kB less at most one page: 9007199254740988kB with pages of 4 KiB. Pages are up to 256
     * KiB.
     */
    private static final long UNLIMITED_MIN_KB = (1L << 53) - 256;

    private byte[] buffer = {};
    private int position;
    private int end;

    /** Takes {@code buffer[from, end)} and goes to its beginning. */
    public TextCursor wrap(byte[] buffer, int from, int end) {
        this.buffer = buffer;
        this.position = from;
        this.end = end;
        return this;
    }

    /** Excludes blanks at the end. */
    void trimEnd() {
        while (end > position && Bytes.isBlank(buffer[end - 1])) {
            end--;
        }
    }

    /** Excludes the line break at the end. */
    public void trimLineBreak() {
        while (end > position && (buffer[end - 1] == '\r' || buffer[end - 1] == '\n')) {
            end--;
        }
    }

    /** Excludes the last character, of UTF-8. */
    void trimLastCharacter() {
        while (end > position && (buffer[end - 1] & 0xc0) == 0x80) {
            end--;
        }
        end = Math.max(position, end - 1);
    }

    /** The wrapped array. */
    public byte[] buffer() {
        return buffer;
    }

    /** Index of the byte here. */
    public int position() {
        return position;
    }

    /** Goes to an index of the text, or to its end. */
    public void position(int newPosition) {
        position = newPosition;
    }

    /** Index after the text's last byte. */
    public int end() {
        return end;
    }

    /** Whether the position is at the end. */
    public boolean atEnd() {
        return position == end;
    }

    /** The byte here, 0 at the end. */
    public byte peek() {
        return position < end ? buffer[position] : 0;
    }

    /** The byte at {@code index} of the wrapped array. */
    public byte byteAt(int index) {
        return buffer[index];
    }

    /** Whether {@code word} is at {@code index}, which is not negative. */
    public boolean at(int index, byte[] word) {
        return index + word.length <= end && Bytes.isAt(buffer, index, word);
    }

    /** Skips {@code word} if it is here; returns whether it did. */
    public boolean skip(byte[] word) {
        if (!at(position, word)) {
            return false;
        }
        position += word.length;
        return true;
    }

    /** Skips {@code wanted} if it is here; returns whether it did. */
    public boolean skip(char wanted) {
        if (position == end || buffer[position] != wanted) {
            return false;
        }
        position++;
        return true;
    }

    /** Skips spaces, tabs and no-break spaces. */
    public void skipSpaces() {
        do {
            while (position < end && isSpace(buffer[position])) {
                position++;
            }
        } while (skip(NO_BREAK_SPACE));
    }

    /** Skips the break between two lines of one record, in any spelling; returns whether a line ends here. */
    public boolean skipNewline() {
        int start = position;
        skipSpaces();
        if (!skip('\n') && !skip(ESCAPED_NEWLINE) && !skip(OCTAL_NEWLINE) && !atEnd()) {
            position = start;
            return false;
        }
        skipSpaces();
        return true;
    }

    /** The end of the text before {@code index}, without spaces and tabs at its end; not before the position. */
    public int skipSpacesBack(int index) {
        int i = index;
        while (i > position && isSpace(buffer[i - 1])) {
            i--;
        }
        return i;
    }

    /** The start of the word that ends before {@code index}, spaces and tabs left out; not before the position. */
    public int wordStart(int index) {
        int i = skipSpacesBack(index);
        while (i > position && !isSpace(buffer[i - 1])) {
            i--;
        }
        return i;
    }

    /** Whether a space, a tab or the end is here. */
    public boolean atWordEnd() {
        return atEnd() || isSpace(buffer[position]);
    }

    private static boolean isSpace(byte b) {
        return b == ' ' || b == '\t';
    }

    /** Whether the text from here on is {@code word}, except for spaces and tabs at its end. */
    public boolean rest(byte[] word) {
        return at(position, word) && skipSpacesBack(end) <= position + word.length;
    }

    /** Like skip; also skips to the end of a text that ends within {@code word}. */
    boolean skipOrCut(byte[] word) {
        int length = Math.min(word.length, end - position);
        for (int i = 0; i < length; i++) {
            if (buffer[position + i] != word[i]) {
                return false;
            }
        }
        position += length;
        return true;
    }

    /** Skips digits; returns whether there is one, or the end. */
    boolean skipDigits() {
        int start = position;
        position = Bytes.skipDigits(buffer, start, end);
        return position > start || atEnd();
    }

    boolean endsWith(byte[] word) {
        return Bytes.isBefore(buffer, position, end, word);
    }

    /** Whether {@code word} is anywhere from here on. */
    public boolean contains(byte[] word) {
        return find(word, position) >= 0;
    }

    /** Index of the first {@code word} that begins in [from, to), or -1. */
    int find(byte[] word, int from, int to) {
        return Bytes.find(buffer, from, Math.min(end, to - 1 + word.length), word);
    }

    /** Index of the first {@code word} in [from, end), or -1. */
    int find(byte[] word, int from) {
        return Bytes.find(buffer, from, end, word);
    }

    /** Index of the last {@code word} in [from, end), or -1. */
    int findLast(byte[] word, int from) {
        byte[] text = buffer;
        byte first = word[0];
        for (int i = end - word.length; i >= from; i--) {
            if (text[i] == first && Bytes.isAt(text, i, word)) {
                return i;
            }
        }
        return -1;
    }

    /** The digits here as a number of at most {@code max}; ABSENT for a larger one, and for more than 18 digits. */
    long number(long max) {
        byte[] text = buffer;
        int limit = Math.min(end, position + Bytes.MAX_DIGITS + 1);
        long value = 0;
        int i = position;
        while (i < limit && isDigit(text[i])) {
            value = value * 10 + (text[i] - '0');
            i++;
        }
        int digits = i - position;
        if (digits == 0 || digits > Bytes.MAX_DIGITS || value > max) {
            return ABSENT;
        }
        position = i;
        return value;
    }

    /** The digits here, in any number, as a long, or {@link OomLine#ABSENT}. Also skips a number that does not fit. */
    public long nextNumber() {
        long value = 0;
        boolean fits = true;
        int start = position;
        while (position < end && isDigit(buffer[position])) {
            int digit = buffer[position++] - '0';
            fits &= value <= (Long.MAX_VALUE - digit) / 10;
            value = fits ? value * 10 + digit : value;
        }
        return fits && position > start ? value : ABSENT;
    }

    /** The number after {@code key}, or ABSENT. */
    long number(byte[] key, long max) {
        int start = position;
        long value = skip(key) ? number(max) : ABSENT;
        if (value == ABSENT) {
            position = start;
        }
        return value;
    }

    /** The number after {@code key}, with or without a minus, or ABSENT. */
    long signed(byte[] key, long max) {
        int start = position;
        if (!skip(key)) {
            return ABSENT;
        }
        boolean negative = peek() == '-';
        if (negative) {
            position++;
        }
        long value = number(max);
        if (value == ABSENT) {
            position = start;
            return value;
        }
        return negative ? -value : value;
    }

    /** The {@code <number>kB} after {@code key} in bytes, UNLIMITED for a page counter without a limit, or ABSENT. */
    long limitBytes(byte[] key) {
        int start = position;
        long bytes = skip(key) ? limitBytes() : ABSENT;
        if (bytes == ABSENT) {
            position = start;
        }
        return bytes;
    }

    /** The {@code <number>kB} after {@code key} in bytes, or ABSENT. */
    long sizeBytes(byte[] key) {
        int start = position;
        long bytes = skip(key) ? sizeBytes() : ABSENT;
        if (bytes == ABSENT) {
            position = start;
        }
        return bytes;
    }

    /** The {@code <number>kB} here in bytes; ABSENT also for a page counter without a limit. */
    long sizeBytes() {
        long bytes = limitBytes();
        return bytes == OomLine.UNLIMITED ? ABSENT : bytes;
    }

    /**
     * The {@code <number>kB} here (some lines write {@code KB}) in bytes, or {@link OomLine#ABSENT}. Also skips a size
     * that does not fit a long, and a number without the unit. A size without a limit counts as any other.
     */
    public long nextSizeBytes() {
        long kb = nextNumber();
        boolean isSize = skip(KB) || skip(UPPER_KB);
        return isSize && kb >= 0 && kb <= Long.MAX_VALUE >> 10 ? kb << 10 : ABSENT;
    }

    private long limitBytes() {
        int start = position;
        long kb = number(Long.MAX_VALUE);
        int unit = position;
        if (kb == ABSENT || unit + 2 > end || buffer[unit] != 'k' || buffer[unit + 1] != 'B') {
            position = start;
            return ABSENT;
        }
        position = unit + 2;
        return kb >= UNLIMITED_MIN_KB ? OomLine.UNLIMITED : kb << 10;
    }

    /** Skips a {@code nodemask} and keeps it, unless it is {@code (null)}. */
    void nodemask(ByteText field) {
        if (!skip(NO_NODEMASK)) {
            int from = position;
            skipNodeList();
            field.set(buffer, from, position - from);
        }
    }

    /** Skips {@code 0-1,3}, but not the comma before the next key. */
    void skipNodeList() {
        while (position < end
                && (isDigit(buffer[position]) || buffer[position] == '-' || isCommaBeforeDigit(position))) {
            position++;
        }
    }

    /** The start of the digits, hyphens and commas at the end. */
    int findTrailingNodeList() {
        byte[] text = buffer;
        int start = position;
        int i = end;
        while (i > start && Bytes.isListByte(text[i - 1])) {
            i--;
        }
        return i;
    }

    private boolean isCommaBeforeDigit(int i) {
        return buffer[i] == ',' && i + 1 < end && isDigit(buffer[i + 1]);
    }

    /** The end of the name here (letters, digits, {@code _}, brackets); the position if there is none. */
    public int nameEnd() {
        int i = position;
        while (i < end && isNameByte(buffer[i])) {
            i++;
        }
        return i - position > MAX_NAME_BYTES ? position : i;
    }

    private static boolean isNameByte(byte b) {
        return Bytes.isLetter(b) || isDigit(b) || b == '_' || b == '(' || b == ')';
    }

    /** The ASCII text of [from, to). */
    public String text(int from, int to) {
        return new String(buffer, from, to - from, StandardCharsets.ISO_8859_1);
    }

    /** The text of [from, to), of no certain encoding, with its {@code \xNN} escapes resolved. */
    public String bytesText(int from, int to) {
        ByteText text = new ByteText(to - from);
        text.set(buffer, from, to - from);
        return text.toString();
    }
}
