package dev.exit137.cli.why;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;

/** Finds the names that a person may have meant. */
public final class Nearest {
    private static final int MAX_NAMES = 3;

    private Nearest() {}

    /** The names that are most like the text, the nearest first; empty if none is near. */
    public static List<String> of(String text, Collection<String> names) {
        int farthest = Math.max(2, text.length() / 3);
        return names.stream()
                .distinct()
                .filter(name -> name.contains(text) || distance(text, name) <= farthest)
                .sorted(Comparator.<String>comparingInt(name -> distance(text, name))
                        .thenComparing(Comparator.naturalOrder()))
                .limit(MAX_NAMES)
                .toList();
    }

    /** A sentence for a person; empty if no name is near. */
    public static String advice(String text, Collection<String> names) {
        List<String> nearest = of(text, names);
        return nearest.isEmpty() ? "" : "; did you mean " + String.join(", ", nearest) + "?";
    }

    /** Number of letters to add, remove or change (Levenshtein). */
    static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int above = row[j];
                int changed = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                row[j] = Math.min(changed, 1 + Math.min(above, row[j - 1]));
                diagonal = above;
            }
        }
        return row[b.length()];
    }
}
