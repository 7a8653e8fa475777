package dev.exit137.oomreport.dump;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalLong;

/** Values by the kernel's names for them, in the order of the report. Keeps no more values than a kernel has. */
final class NamedValues {
    private static final int MAX_NAMES = 128;

    final Map<String, Long> values = new LinkedHashMap<>();

    /** Stores the value, unless the name has one already. */
    void putFirst(String name, long value) {
        if (value >= 0 && values.size() < MAX_NAMES) {
            values.putIfAbsent(name, value);
        }
    }

    /** Adds to the value of the name. */
    void add(String name, long value) {
        if (value >= 0 && (values.size() < MAX_NAMES || values.containsKey(name))) {
            values.merge(name, value, NamedValues::sum);
        }
    }

    /** The sum, capped at the largest long. */
    static long sum(long one, long other) {
        long sum = one + other;
        return sum < 0 ? Long.MAX_VALUE : sum;
    }

    /** The value of the first of the names that has one. */
    OptionalLong get(String... names) {
        for (String name : names) {
            Long value = values.get(name);
            if (value != null) {
                return OptionalLong.of(value);
            }
        }
        return OptionalLong.empty();
    }

    boolean isEmpty() {
        return values.isEmpty();
    }
}
