package dev.exit137.cli.render.report;

import java.time.Duration;

/** Counts over time in a fixed number of spans, which grow with the time. For one thread. */
final class Rate {
    private static final int SPANS = 48;
    private static final Duration FIRST_SPAN = Duration.ofMinutes(1);
    private static final String LEVELS = " ▁▂▃▄▅▆▇█";

    private final long[] counts = new long[SPANS];
    private long spanNanos = FIRST_SPAN.toNanos();
    private long startNanos;
    private int used;
    /** The count of those with a time before the first one's, so of another boot. */
    long disordered;

    /** Counts one more, at a time relative to the same start as the others. */
    void add(Duration time) {
        long nanos = time.toSeconds() > Long.MAX_VALUE / 2_000_000_000 ? Long.MAX_VALUE / 2 : time.toNanos();
        if (used == 0) {
            startNanos = nanos;
        }
        // Within a second lines are not always in order.
        if (nanos < startNanos - 1_000_000_000L) {
            disordered++;
            return;
        }
        while (Math.max(0, nanos - startNanos) / spanNanos >= SPANS) {
            grow();
        }
        int span = (int) (Math.max(0, nanos - startNanos) / spanNanos);
        counts[span]++;
        used = Math.max(used, span + 1);
    }

    private void grow() {
        for (int i = 0; i < SPANS; i++) {
            counts[i] = i < SPANS / 2 ? counts[2 * i] + counts[2 * i + 1] : 0;
        }
        used = (used + 1) / 2;
        spanNanos *= 2;
    }

    /** A bar for each span, from the first count to the last. */
    String bars() {
        long most = most();
        StringBuilder bars = new StringBuilder();
        for (int i = 0; i < used; i++) {
            bars.append(LEVELS.charAt((int) ((counts[i] * (LEVELS.length() - 1) + most - 1) / most)));
        }
        return bars.toString();
    }

    /** The count of the busiest span. */
    long most() {
        long most = 1;
        for (long count : counts) {
            most = Math.max(most, count);
        }
        return most;
    }

    Duration span() {
        return Duration.ofNanos(spanNanos);
    }

    /** Whether there is something to draw, in one order of time. */
    boolean isDrawable() {
        return used > 1 && disordered == 0;
    }
}
