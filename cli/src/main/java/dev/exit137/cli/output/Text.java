package dev.exit137.cli.output;

import com.google.protobuf.Timestamp;
import dev.exit137.agent.explain.Sizes;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/** Small pieces of text output. */
public final class Text {
  private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm:ss.SSS", Locale.ROOT);

  private Text() {}

  /** {@code 512.0 MiB}; 2^64-1 is {@code unlimited}. The long is unsigned. */
  static String bytes(long bytes) {
    return Sizes.text(bytes);
  }

  /** Local time with milliseconds. */
  static String time(Timestamp timestamp, ZoneId zone) {
    return TIME.format(instant(timestamp).atZone(zone));
  }

  /** How far the zone's times are from UTC then: {@code UTC} or {@code +02:00}. */
  static String offset(ZoneId zone, Instant time) {
    String offset = zone.getRules().getOffset(time).getId();
    return offset.equals("Z") ? "UTC" : offset;
  }

  static Instant instant(Timestamp timestamp) {
    return Instant.ofEpochSecond(timestamp.getSeconds(), timestamp.getNanos());
  }

  /** Names come from any process: one that holds control characters must not reach the terminal as it is. */
  public static String printable(String name) {
    int control = 0;
    while (control < name.length() && !Character.isISOControl(name.charAt(control))) {
      control++;
    }
    if (control == name.length()) {
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
