package dev.exit137.oomreport.explain;

/** Sizes, shares and times for a reader. */
public final class Sizes {
    private static final String[] UNITS = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    /** The lowest value of an unlimited page counter, also on 32-bit kernels: every real limit is smaller. */
    private static final long LEAST_UNLIMITED = 1L << 60;

    private Sizes() {}

    /** {@code 512.0 MiB}; 2^64-1 is {@code unlimited}. The long is unsigned. */
    public static String text(long bytes) {
        if (bytes == -1) {
            return "unlimited";
        }
        double size = (bytes >>> 1) * 2.0 + (bytes & 1);
        if (size < 1024) {
            return (long) size + " B";
        }
        int unit = -1;
        do {
            size /= 1024;
            unit++;
        } while (size >= 1023.95 && unit < UNITS.length - 1);
        long tenths = Math.round(10 * size);
        return tenths / 10 + "." + tenths % 10 + " " + UNITS[unit];
    }

    /** {@code 94 %} of the whole, which is above 0; {@code < 1 %} for a small part that is above 0. */
    public static String share(long part, long whole) {
        long percent = Math.round(100.0 * part / whole);
        return percent == 0 && part > 0 ? "< 1 %" : percent + " %";
    }

    /** {@code 0.4 s}, {@code 12 s}. */
    public static String seconds(long nanos) {
        long tenths = Math.round(nanos / 1e8);
        return (tenths < 100 ? tenths / 10 + "." + tenths % 10 : Math.round(nanos / 1e9)) + " s";
    }

    /**
     * Whether the limit is a real one. It is unsigned: 2^64-1 means no limit; cgroup v1 has a very large number for
     * it.
     */
    public static boolean isLimit(long bytes) {
        return bytes >= 0 && bytes < LEAST_UNLIMITED;
    }
}
