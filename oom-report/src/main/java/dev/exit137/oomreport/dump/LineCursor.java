package dev.exit137.oomreport.dump;

import dev.exit137.oomreport.parse.ByteText;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** A place in one line of a report. What does not match leaves it where it was. Belongs to one thread. */
final class LineCursor {
  /** There is no number, or it does not fit a long. */
  static final long ABSENT = Long.MIN_VALUE;

  /** How a newline within a record is written: in /dev/kmsg, and by rsyslog. */
  private static final byte[] ESCAPED_NEWLINE = ascii("\\x0a");
  private static final byte[] OCTAL_NEWLINE = ascii("#012");

  /** UTF-8: what web pages make of the second of two spaces. */
  private static final byte[] NO_BREAK_SPACE = {(byte) 0xc2, (byte) 0xa0};

  private static final byte[] KB = ascii("kB");
  private static final byte[] UPPER_KB = ascii("KB");

  private static final int MAX_NAME_BYTES = 64;

  private byte[] buffer = {};
  private int position;
  private int end;

  static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  /** Begins at the first byte that is no space; a line break at the end is left out. */
  LineCursor wrap(byte[] buffer, int from, int to) {
    this.buffer = buffer;
    position = from;
    end = to;
    while (end > position && (buffer[end - 1] == '\r' || buffer[end - 1] == '\n')) {
      end--;
    }
    skipSpaces();
    return this;
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

  byte byteAt(int index) {
    return buffer[index];
  }

  void skipSpaces() {
    do {
      while (position < end && isSpace(buffer[position])) {
        position++;
      }
    } while (skip(NO_BREAK_SPACE));
  }

  /** Skips what is between two lines of one record, however it is written. @return whether a line ends here */
  boolean skipNewline() {
    int start = position;
    skipSpaces();
    if (!skip('\n') && !skip(ESCAPED_NEWLINE) && !skip(OCTAL_NEWLINE) && !atEnd()) {
      position = start;
      return false;
    }
    skipSpaces();
    return true;
  }

  boolean skip(byte[] word) {
    if (!at(position, word)) {
      return false;
    }
    position += word.length;
    return true;
  }

  boolean skip(char wanted) {
    if (position == end || buffer[position] != wanted) {
      return false;
    }
    position++;
    return true;
  }

  /** Whether {@code word} stands at {@code index}. */
  boolean at(int index, byte[] word) {
    if (index < 0 || index + word.length > end) {
      return false;
    }
    for (int i = 0; i < word.length; i++) {
      if (buffer[index + i] != word[i]) {
        return false;
      }
    }
    return true;
  }

  /** Whether the line from here on is {@code word}, spaces at its end apart. */
  boolean rest(byte[] word) {
    return at(position, word) && skipSpacesBack(end) <= position + word.length;
  }

  /** The end of what stands before {@code index}, spaces left out; not before here. */
  int skipSpacesBack(int index) {
    int i = index;
    while (i > position && isSpace(buffer[i - 1])) {
      i--;
    }
    return i;
  }

  /** Whether {@code word} stands anywhere from here on. */
  boolean contains(byte[] word) {
    for (int i = position; i + word.length <= end; i++) {
      if (at(i, word)) {
        return true;
      }
    }
    return false;
  }

  /** The digits here; passes over a number that is too large. */
  long number() {
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

  /** The {@code <number>kB} here (some lines write {@code KB}) in bytes, or ABSENT. */
  long sizeBytes() {
    long kb = number();
    boolean isSize = skip(KB) || skip(UPPER_KB);
    return isSize && kb >= 0 && kb <= Long.MAX_VALUE >> 10 ? kb << 10 : ABSENT;
  }

  /** The end of the name that stands here (letters, digits, {@code _}, brackets); here if there is none. */
  int nameEnd() {
    int i = position;
    while (i < end && isNameByte(buffer[i])) {
      i++;
    }
    return i - position > MAX_NAME_BYTES ? position : i;
  }

  /** ASCII text of this line. */
  String text(int from, int to) {
    return new String(buffer, from, to - from, StandardCharsets.ISO_8859_1);
  }

  /** Text of no certain encoding, with its {@code \xNN} escapes resolved. */
  String bytesText(int from, int to) {
    ByteText text = new ByteText(to - from);
    text.set(buffer, from, to - from);
    return text.toString();
  }

  byte[] copy(int from, int to) {
    return Arrays.copyOfRange(buffer, from, to);
  }

  static boolean isSpace(byte value) {
    return value == ' ' || value == '\t';
  }

  static boolean isDigit(byte value) {
    return value >= '0' && value <= '9';
  }

  private static boolean isNameByte(byte value) {
    return value >= 'a' && value <= 'z' || value >= 'A' && value <= 'Z' || isDigit(value) || value == '_'
        || value == '(' || value == ')';
  }
}
