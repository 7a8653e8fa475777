package dev.exit137.agent.container;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Selects the labels of a pod that go into events. Labels may have any content and any number: only selected ones are
 * kept.
 *
 * @param allowed full names ({@code app}), or prefixes with a star at the end ({@code app.kubernetes.io/*})
 */
public record LabelFilter(List<String> allowed) {
    public static final LabelFilter DEFAULT = new LabelFilter(List.of(
            "app.kubernetes.io/*",
            "app",
            "batch.kubernetes.io/job-name",
            "apps.kubernetes.io/pod-index",
            "pod-template-hash",
            "pod-template-generation"));

    public LabelFilter {
        allowed = List.copyOf(allowed);
    }

    /** Returns the labels that may be kept, by name. */
    Map<String, String> keep(Map<String, String> labels) {
        Map<String, String> kept = new TreeMap<>();
        labels.forEach((name, value) -> {
            if (allowed.stream().anyMatch(each -> matches(each, name))) {
                kept.put(name, value);
            }
        });
        return kept;
    }

    private static boolean matches(String allowed, String name) {
        return allowed.endsWith("*")
                ? name.startsWith(allowed.substring(0, allowed.length() - 1))
                : name.equals(allowed);
    }
}
