package dev.exit137.cli.analyze;

import java.nio.charset.StandardCharsets;

/** Small questions about ASCII in a line; all of them may be asked of any index up to {@code to}. */
final class Bytes {
  private Bytes() {}

  static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  static boolean isDigit(byte b) {
    return b >= '0' && b <= '9';
  }

  static boolean isLetter(byte b) {
    return (b | 0x20) >= 'a' && (b | 0x20) <= 'z';
  }

  static boolean at(byte[] line, int at, int to, byte[] word) {
    if (at < 0 || at + word.length > to) {
      return false;
    }
    for (int i = 0; i < word.length; i++) {
      if (line[at + i] != word[i]) {
        return false;
      }
    }
    return true;
  }

  static boolean at(byte[] line, int at, int to, char character) {
    return at < to && line[at] == character;
  }

  /** Index of the first {@code word} in [from, to), or -1. */
  static int find(byte[] line, int from, int to, byte[] word) {
    for (int i = from; i <= to - word.length; i++) {
      if (line[i] == word[0] && at(line, i, to, word)) {
        return i;
      }
    }
    return -1;
  }

  /** Index of the first byte in [from, to) that is no digit. */
  static int skipDigits(byte[] line, int from, int to) {
    int i = from;
    while (i < to && isDigit(line[i])) {
      i++;
    }
    return i;
  }

  /** Index of the first byte in [from, to) that is no space. */
  static int skipSpaces(byte[] line, int from, int to) {
    int i = from;
    while (i < to && line[i] == ' ') {
      i++;
    }
    return i;
  }

  /** The number that the digits in [from, to) are, or -1 for none or more than a long holds for sure. */
  static long number(byte[] line, int from, int to) {
    if (from >= to || to - from > 18) {
      return -1;
    }
    long value = 0;
    for (int i = from; i < to; i++) {
      value = 10 * value + (line[i] - '0');
    }
    return value;
  }
}
