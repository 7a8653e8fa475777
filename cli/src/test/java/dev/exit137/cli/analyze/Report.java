package dev.exit137.cli.analyze;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Records that a kernel of the project's tests printed, as latin-1: one char is one byte. */
record Report(List<Line> lines) {
    private static final Path FIXTURES = Path.of("../oom-report/src/test/resources/kmsg");
    private static final Pattern RECORD = Pattern.compile("(\\d+),(\\d+),(\\d+),[^;]*;(.*)", Pattern.DOTALL);

    /** A line of a record; a record of several lines (Mem-Info) has its newlines as {@code \x0a}. */
    record Line(int level, long micros, String text) {
        /** As dmesg shows it. */
        String stamped() {
            return "[" + seconds() + "] " + text;
        }

        String seconds() {
            return "%5d.%06d".formatted(micros / 1_000_000, micros % 1_000_000);
        }
    }

    static Report of(String fixture) {
        List<Line> lines = new ArrayList<>();
        for (String record : raw(fixture).split("\n")) {
            Matcher matcher = RECORD.matcher(record);
            // Most containers do not tell the kernel's lines from those that a program wrote to /dev/kmsg.
            if (matcher.matches() && Integer.parseInt(matcher.group(1)) < 8) {
                lines.add(new Line(
                        Integer.parseInt(matcher.group(1)), Long.parseLong(matcher.group(3)), matcher.group(4)));
            }
        }
        return new Report(lines);
    }

    /** As it was read from /dev/kmsg. */
    static String raw(String fixture) {
        try {
            return Files.readString(FIXTURES.resolve(fixture), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** With the lines of a record apart, as dmesg shows them; a name's newline stays what the kernel made of it. */
    Report apart() {
        List<Line> apart = new ArrayList<>();
        for (Line line : lines) {
            boolean several = line.text().startsWith("active_anon:");
            for (String text : several ? line.text().split("\\\\x0a") : new String[] {line.text()}) {
                apart.add(new Line(line.level(), line.micros(), text));
            }
        }
        return new Report(apart);
    }
}
