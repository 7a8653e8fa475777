package dev.exit137.cli.render.report;

import dev.exit137.cli.render.Text;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Labelled lines of text, at most 100 columns wide. For one thread. */
final class Page {
    private static final int WIDTH = 100;
    private static final int INDENT = 11;
    private static final int BAR_WIDTH = 24;

    private final PrintWriter out;

    Page(PrintWriter out) {
        this.out = out;
    }

    void title(String text) {
        Text.wrap(text, WIDTH).forEach(out::println);
    }

    void paragraph(String text) {
        Text.wrap(text, WIDTH - 2).forEach(line -> out.println("  " + line));
    }

    void blank() {
        out.println();
    }

    /** Adds a text with its label, on as many lines as it needs; adds nothing for an empty text. */
    void entry(String label, String text) {
        if (!text.isEmpty()) {
            entry(label, Text.wrap(text, WIDTH - INDENT));
        }
    }

    /** Does the same with finished lines. */
    void entry(String label, List<String> lines) {
        String head = String.format(Locale.ROOT, "  %-9s", label);
        for (String line : lines) {
            out.println((head + Text.printable(line)).stripTrailing());
            head = " ".repeat(INDENT);
        }
    }

    /** Does the same with short texts, as many on a line as fit; no line breaks within one. */
    void parts(String label, List<String> parts) {
        List<String> lines = new ArrayList<>();
        for (String part : parts) {
            String joined = lines.isEmpty() ? part : lines.getLast() + "; " + part;
            if (lines.isEmpty()) {
                lines.add(part);
            } else if (joined.length() < WIDTH - INDENT) {
                lines.set(lines.size() - 1, joined);
            } else {
                lines.set(lines.size() - 1, lines.getLast() + ";");
                lines.add(part);
            }
        }
        entry(
                label,
                lines.stream()
                        .flatMap(line -> Text.wrap(line, WIDTH - INDENT).stream())
                        .toList());
    }

    /** Does the same with several texts, each after a dash. */
    void list(String label, List<String> texts) {
        List<String> lines = new ArrayList<>();
        for (String text : texts) {
            String dash = "- ";
            for (String line : Text.wrap(text, WIDTH - INDENT - 2)) {
                lines.add(dash + line);
                dash = "  ";
            }
        }
        entry(label, lines);
    }

    /** A part of a whole as a bar. */
    static String bar(long part, long whole) {
        return "█".repeat(Math.clamp(Math.round((double) BAR_WIDTH * part / whole), 0, BAR_WIDTH));
    }

    /** The text in the columns of an entry, next to its own name. */
    static List<String> wrapBeside(int nameWidth, String text) {
        return Text.wrap(text, WIDTH - INDENT - nameWidth);
    }
}
