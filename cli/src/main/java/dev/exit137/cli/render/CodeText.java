package dev.exit137.cli.render;

import dev.exit137.exitreport.words.ExitCodes.Code;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Exit codes in words: one on a page, or all in a table. */
public final class CodeText {
    private static final int WIDTH = 100;

    private CodeText() {}

    /** One code: its usual meaning, then each detail as a paragraph. */
    public static List<String> page(Code code) {
        List<String> lines = new ArrayList<>(Text.wrap(code.code() + " = " + code.headline(), WIDTH));
        for (String detail : code.details()) {
            Text.wrap(detail, WIDTH - 2).forEach(line -> lines.add("  " + line));
        }
        return lines;
    }

    /** A line for each code; neighbours with the same meaning share one. */
    public static List<String> table(List<Code> codes) {
        List<String> lines = new ArrayList<>();
        lines.add("CODE        MEANING");
        int first = 0;
        for (int i = 1; i <= codes.size(); i++) {
            if (i == codes.size()
                    || !codes.get(i).headline().equals(codes.get(first).headline())) {
                int from = codes.get(first).code();
                int to = codes.get(i - 1).code();
                lines.add(String.format(
                        Locale.ROOT,
                        "%-10s  %s",
                        from == to ? from : from + " to " + to,
                        codes.get(first).headline()));
                first = i;
            }
        }
        return lines;
    }
}
