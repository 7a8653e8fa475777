package dev.exit137.cli.render;

import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Rows of text, one below the other. */
final class Columns {
    private Columns() {}

    /**
     * The rows as lines, every column as wide as its longest value.
     *
     * @param rows of the same number of columns, the header first
     * @param numbers headers of the columns that are aligned to the right
     */
    static List<String> aligned(List<List<String>> rows, String... numbers) {
        Set<String> right = Set.of(numbers);
        List<String> formats = IntStream.range(0, rows.getFirst().size())
                .mapToObj(column -> {
                    int width = rows.stream()
                            .mapToInt(row -> row.get(column).length())
                            .max()
                            .orElseThrow();
                    return "%" + (right.contains(rows.getFirst().get(column)) ? "" : "-") + Math.max(1, width) + "s";
                })
                .toList();
        return rows.stream()
                .map(row -> IntStream.range(0, row.size())
                        .mapToObj(column -> String.format(Locale.ROOT, formats.get(column), row.get(column)))
                        .collect(Collectors.joining("  "))
                        .stripTrailing())
                .toList();
    }
}
