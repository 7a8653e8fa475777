package dev.exit137.oomreport.parse;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** Both parsers say the same of every line, as a message, as a record and as a part of a longer text. */
public final class KillPathFuzzTarget {
    private static final KmsgRecordFlyweight VIEW = new KmsgRecordFlyweight();
    private static final OomLineParser PARSER = new OomLineParser();
    private static final OomLine LINE = new OomLine();

    private KillPathFuzzTarget() {}

    /** A line of every form. */
    public static List<String> seeds() {
        return Forms.LINES;
    }

    /** Called by Jazzer. */
    public static void fuzzerTestOneInput(byte[] input) {
        String text = new String(input, StandardCharsets.ISO_8859_1);
        if (NaiveOomLineParser.knowsTheNumbersOf(text)) {
            compare(input);
            for (String line : text.split("\n", -1)) {
                compare(Records.of(line));
            }
        }
        comparePartOf(input);
    }

    private static void compare(byte[] record) {
        PARSER.parse(VIEW.wrap(record, 0, record.length), LINE);
        check(NaiveOomLineParser.parse(record), record);
    }

    private static void comparePartOf(byte[] input) {
        int start = 0;
        for (int end = 0; end <= input.length; end++) {
            if (end == input.length || input[end] == '\n') {
                byte[] record = Records.of(new String(input, start, end - start, StandardCharsets.ISO_8859_1));
                PARSER.parse(VIEW.wrap(record, 0, record.length), LINE);
                Map<String, Object> ofRecord = Fields.of(LINE);
                PARSER.parse(input, start, end, LINE);
                check(ofRecord, record);
                start = end + 1;
            }
        }
    }

    private static void check(Map<String, Object> expected, byte[] record) {
        if (!Fields.of(LINE).equals(expected)) {
            String text = new String(record, StandardCharsets.ISO_8859_1);
            throw new AssertionError("expected " + expected + "\nbut was  " + Fields.of(LINE) + "\nof " + text);
        }
    }
}
