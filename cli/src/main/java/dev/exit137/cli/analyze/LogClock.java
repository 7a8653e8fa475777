package dev.exit137.cli.analyze;

/**
 * The time between two lines, by printk's time or else by the printed time of day. A line without a time follows at
 * once. Times are microseconds since boot and since midnight; -1 if a line has none. Belongs to one thread.
 */
final class LogClock {
    private static final long MICROS_PER_DAY = 86_400_000_000L;
    private static final long MAX_GAP_MICROS = 30_000_000;

    /** Processors print at once: a line can be a little older than the one before. */
    private static final long MAX_DISORDER_MICROS = 5_000_000;

    private boolean kernels;
    private long last = -1;
    private long passedMicros;

    /** Whether the line is close enough to the last one for the same report, and from the same boot. */
    boolean isWithinReport(LogLine line) {
        long gap = gap(line);
        return gap <= MAX_GAP_MICROS && gap >= -MAX_DISORDER_MICROS;
    }

    /** Moves to that line and returns the microseconds since the first line. */
    long advance(LogLine line) {
        passedMicros += Math.max(0, gap(line));
        if (line.kernelMicros() >= 0) {
            kernels = true;
            last = line.kernelMicros();
        } else if (!kernels) {
            long ofDay = line.ofDayMicros();
            last = ofDay >= 0 ? ofDay : last;
        }
        return passedMicros;
    }

    private long gap(LogLine line) {
        if (last < 0) {
            return 0;
        }
        if (kernels || line.kernelMicros() >= 0) {
            return kernels && line.kernelMicros() >= 0 ? line.kernelMicros() - last : 0;
        }
        long ofDay = line.ofDayMicros();
        long gap = ofDay < 0 ? 0 : ofDay - last;
        return gap < -MICROS_PER_DAY / 2 ? gap + MICROS_PER_DAY : gap;
    }
}
