package dev.exit137.cli.output;

import com.google.protobuf.Timestamp;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/** Small pieces of text output. */
final class Text {
  private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm:ss.SSS", Locale.ROOT);
  private static final String[] UNITS = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

  private Text() {}

  /** {@code 512.0 MiB}; 2^64-1 is {@code unlimited}. The long is unsigned. */
  static String bytes(long bytes) {
    if (bytes == -1) {
      return "unlimited";
    }
    double size = (bytes >>> 1) * 2.0 + (bytes & 1);
    if (size < 1024) {
      return (long) size + " B";
    }
    int unit = -1;
    do {
      size /= 1024;
      unit++;
    } while (size >= 1023.95 && unit < UNITS.length - 1);
    return String.format(Locale.ROOT, "%.1f %s", size, UNITS[unit]);
  }

  /** Local time with milliseconds. */
  static String time(Timestamp timestamp, ZoneId zone) {
    return TIME.format(instant(timestamp).atZone(zone));
  }

  static Instant instant(Timestamp timestamp) {
    return Instant.ofEpochSecond(timestamp.getSeconds(), timestamp.getNanos());
  }

  /** Names come from any process: one that holds control characters must not reach the terminal as it is. */
  static String printable(String name) {
    if (name.chars().noneMatch(Character::isISOControl)) {
      return name;
    }
    StringBuilder text = new StringBuilder();
    name.chars().forEach(c -> {
      if (Character.isISOControl(c)) {
        text.append(String.format("\\x%02x", c));
      } else {
        text.append((char) c);
      }
    });
    return text.toString();
  }
}
