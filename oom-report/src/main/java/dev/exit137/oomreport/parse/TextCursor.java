package dev.exit137.oomreport.parse;

import java.nio.charset.StandardCharsets;

/** A place in a piece of ASCII-framed text. What does not match leaves it where it was. Belongs to one thread. */
final class TextCursor {
  /** More digits than any number of the kernel, and no overflow of a long. */
  private static final int MAX_DIGITS = 18;

  private static final byte[] NO_NODEMASK = ascii("(null)");

  /**
   * A page counter without a limit holds LONG_MAX / PAGE_SIZE pages (the res_counters before 3.19: LONG_MAX bytes), so
   * what is printed is 2^53 kB less at most one page: 9007199254740988kB with pages of 4 KiB. Pages are up to 256 KiB.
   */
  private static final long UNLIMITED_MIN_KB = (1L << 53) - 256;

  private byte[] buffer = {};
  private int position;
  private int end;

  static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  TextCursor wrap(byte[] buffer, int from, int end) {
    this.buffer = buffer;
    this.position = from;
    this.end = end;
    return this;
  }

  /** Leaves out blanks at the end. */
  void trimEnd() {
    while (end > position && isBlank(buffer[end - 1])) {
      end--;
    }
  }

  /** Leaves out the last character, of UTF-8. */
  void trimLastCharacter() {
    while (end > position && (buffer[end - 1] & 0xc0) == 0x80) {
      end--;
    }
    end = Math.max(position, end - 1);
  }

  static boolean isBlank(byte b) {
    return b == ' ' || b == '\t' || b == '\r';
  }

  byte[] buffer() {
    return buffer;
  }

  int position() {
    return position;
  }

  void position(int newPosition) {
    position = newPosition;
  }

  int end() {
    return end;
  }

  boolean atEnd() {
    return position == end;
  }

  /** The byte here, 0 at the end. */
  byte peek() {
    return position < end ? buffer[position] : 0;
  }

  /** Whether {@code word} stands at {@code index}. */
  boolean at(int index, byte[] word) {
    return index + word.length <= end && Bytes.isAt(buffer, index, word);
  }

  boolean skip(byte[] word) {
    if (!at(position, word)) {
      return false;
    }
    position += word.length;
    return true;
  }

  /** Like skip; a text that ends within {@code word} is passed over to its end, too. */
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

  /** Passes over digits. Whether there is one, or the end. */
  boolean skipDigits() {
    int start = position;
    while (position < end && isDigit(buffer[position])) {
      position++;
    }
    return position > start || atEnd();
  }

  /** Whether {@code word} stands right before {@code index}, and behind {@code start}. */
  static boolean isBefore(byte[] text, int start, int index, byte[] word) {
    return index - word.length >= start && Bytes.isAt(text, index - word.length, word);
  }

  boolean endsWith(byte[] word) {
    return isBefore(buffer, position, end, word);
  }

  /** Index of the first {@code word} that begins in [from, to), or -1. */
  int find(byte[] word, int from, int to) {
    byte[] text = buffer;
    byte first = word[0];
    int last = Math.min(to - 1, end - word.length);
    for (int i = from; i <= last; i++) {
      if (text[i] == first && Bytes.isAt(text, i, word)) {
        return i;
      }
    }
    return -1;
  }

  /** Index of the last {@code word} that lies in [from, end), or -1. */
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

  /** The digits here as a number of at most {@code max}, or ABSENT. */
  long number(long max) {
    byte[] text = buffer;
    int limit = Math.min(end, position + MAX_DIGITS + 1);
    long value = 0;
    int i = position;
    while (i < limit && isDigit(text[i])) {
      value = value * 10 + (text[i] - '0');
      i++;
    }
    int digits = i - position;
    if (digits == 0 || digits > MAX_DIGITS || value > max) {
      return OomLine.ABSENT;
    }
    position = i;
    return value;
  }

  /** The number behind {@code key}, or ABSENT. */
  long number(byte[] key, long max) {
    int start = position;
    long value = skip(key) ? number(max) : OomLine.ABSENT;
    if (value == OomLine.ABSENT) {
      position = start;
    }
    return value;
  }

  /** The number behind {@code key}, with or without a minus, or ABSENT. */
  long signed(byte[] key, long max) {
    int start = position;
    if (!skip(key)) {
      return OomLine.ABSENT;
    }
    boolean negative = peek() == '-';
    if (negative) {
      position++;
    }
    long value = number(max);
    if (value == OomLine.ABSENT) {
      position = start;
      return value;
    }
    return negative ? -value : value;
  }

  /** The {@code <number>kB} behind {@code key} in bytes, UNLIMITED for a page counter without a limit, or ABSENT. */
  long limitBytes(byte[] key) {
    int start = position;
    long bytes = skip(key) ? limitBytes() : OomLine.ABSENT;
    if (bytes == OomLine.ABSENT) {
      position = start;
    }
    return bytes;
  }

  /** The {@code <number>kB} behind {@code key} in bytes, or ABSENT. */
  long sizeBytes(byte[] key) {
    int start = position;
    long bytes = skip(key) ? sizeBytes() : OomLine.ABSENT;
    if (bytes == OomLine.ABSENT) {
      position = start;
    }
    return bytes;
  }

  /** The {@code <number>kB} here in bytes, or ABSENT. */
  long sizeBytes() {
    long bytes = limitBytes();
    return bytes == OomLine.UNLIMITED ? OomLine.ABSENT : bytes;
  }

  private long limitBytes() {
    int start = position;
    long kb = number(Long.MAX_VALUE);
    int unit = position;
    if (kb == OomLine.ABSENT || unit + 2 > end || buffer[unit] != 'k' || buffer[unit + 1] != 'B') {
      position = start;
      return OomLine.ABSENT;
    }
    position = unit + 2;
    return kb >= UNLIMITED_MIN_KB ? OomLine.UNLIMITED : kb << 10;
  }

  /** Passes over a {@code nodemask} and keeps it, unless it is {@code (null)}. */
  void nodemask(ByteText field) {
    if (!skip(NO_NODEMASK)) {
      int from = position;
      skipNodeList();
      field.set(buffer, from, position - from);
    }
  }

  /** {@code 0-1,3}: passes over it, not over the comma before the next key. */
  void skipNodeList() {
    while (position < end && (isDigit(buffer[position]) || buffer[position] == '-' || isCommaBeforeDigit(position))) {
      position++;
    }
  }

  /** Where the digits, hyphens and commas at the end begin. */
  int findTrailingNodeList() {
    byte[] text = buffer;
    int start = position;
    int i = end;
    while (i > start && isListByte(text[i - 1])) {
      i--;
    }
    return i;
  }

  static boolean isListByte(byte b) {
    return isDigit(b) || b == '-' || b == ',';
  }

  private boolean isCommaBeforeDigit(int i) {
    return buffer[i] == ',' && i + 1 < end && isDigit(buffer[i + 1]);
  }

  static boolean isDigit(byte b) {
    return b >= '0' && b <= '9';
  }
}
