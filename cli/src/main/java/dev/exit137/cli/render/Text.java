package dev.exit137.cli.render;

import com.google.protobuf.Timestamp;
import dev.exit137.oomreport.explain.Sizes;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/** Small pieces of text output. */
public final class Text {
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm:ss.SSS", Locale.ROOT);
    // A number and its unit stay together, and so does (pid 5).
    private static final Pattern GLUED = Pattern.compile("(?<=\\d) (?=[KMGTPE]?i?B\\b|%)|(?<=\\(pid) ");
    private static final char GLUE = '\u00a0';

    private Text() {}

    /** {@code 512.0 MiB}; 2^64-1 is {@code unlimited}. The long is unsigned. */
    static String bytes(long bytes) {
        return Sizes.text(bytes);
    }

    /** Local time with milliseconds. */
    static String time(Timestamp timestamp, ZoneId zone) {
        return TIME.format(instant(timestamp).atZone(zone));
    }

    /** The zone's offset from UTC at that time: {@code UTC} or {@code +02:00}. */
    static String offset(ZoneId zone, Instant time) {
        String offset = zone.getRules().getOffset(time).getId();
        return offset.equals("Z") ? "UTC" : offset;
    }

    static Instant instant(Timestamp timestamp) {
        return Instant.ofEpochSecond(timestamp.getSeconds(), timestamp.getNanos());
    }

    /** Escapes control characters: names are from any process, and must not control the terminal. */
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

    /** Wraps words into lines; a word that is too long continues on the next line, a path after a slash. */
    public static List<String> wrap(String text, int width) {
        String printable = printable(text);
        if (printable.length() <= width) {
            return List.of(printable.strip());
        }
        List<String> lines = new ArrayList<>();
        StringBuilder line = new StringBuilder();
        for (String word :
                GLUED.matcher(printable).replaceAll(String.valueOf(GLUE)).split(" ", 0)) {
            if (!line.isEmpty() && line.length() + 1 + word.length() > width) {
                lines.add(unglued(line));
                line.setLength(0);
            }
            line.append(line.isEmpty() ? "" : " ").append(word);
            while (line.length() > width) {
                int slash = line.lastIndexOf("/", width - 1);
                int end = slash > width / 2 ? slash + 1 : width;
                lines.add(unglued(line.subSequence(0, end)));
                line.delete(0, end);
            }
        }
        lines.add(unglued(line));
        return lines;
    }

    private static String unglued(CharSequence line) {
        return line.toString().replace(GLUE, ' ');
    }
}
