package dev.exit137.bench;

/** A line of the result: the measured quantity, its value, and the target. */
record Figure(String name, String value, String target, boolean met) {
    static Figure atLeast(String name, double value, double target, String unit) {
        return new Figure(name, number(value) + unit, ">= " + number(target), value >= target);
    }

    static Figure atMost(String name, double value, double target, String unit) {
        return new Figure(name, number(value) + unit, "<= " + number(target), value <= target);
    }

    /** A figure without a target, for comparison with others. */
    static Figure plain(String name, String value) {
        return new Figure(name, value, "", true);
    }

    private static String number(double value) {
        return value == Math.rint(value) || value >= 20
                ? String.valueOf(Math.round(value))
                : String.format("%.2f", value);
    }

    @Override
    public String toString() {
        return String.format(
                "%-64s %16s  %-8s %s", name, value, target, target.isEmpty() ? "" : met ? "met" : "MISSED");
    }
}
