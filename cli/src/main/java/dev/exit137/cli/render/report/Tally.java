package dev.exit137.cli.render.report;

import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Counts names in bounded memory: names beyond the first thousand are counted together. */
final class Tally {
    private static final int MAX_NAMES = 1000;

    /**
     * A name and its count.
     *
     * @param detail the detail of the last one with this name
     */
    record Row(String name, long count, String detail) {}

    private final Map<String, Row> rows = new LinkedHashMap<>();
    /** The count of names that there was no room for. */
    long beyond;

    void add(String name, String detail) {
        Row row = rows.get(name);
        if (row == null && rows.size() == MAX_NAMES) {
            beyond++;
            return;
        }
        rows.put(name, new Row(name, row == null ? 1 : row.count() + 1, detail));
    }

    /** The names with at least this count, the most frequent first. */
    List<Row> rows(long atLeast) {
        return rows.values().stream()
                .filter(row -> row.count() >= atLeast)
                .sorted(Comparator.comparingLong(Row::count).reversed())
                .toList();
    }
}
