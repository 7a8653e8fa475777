package dev.exit137.oomreport.explain;

/** Sizes, shares and times as a person reads them. */
public final class Sizes {
  private static final String[] UNITS = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  /** What the page counters of the kernel reach without a limit, on 32-bit kernels too: no limit is as big as this. */
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

  /** {@code 94 %} of the whole, which is more than nothing; {@code < 1 %} for what is more than nothing, too. */
  public static String share(long part, long whole) {
    long percent = Math.round(100.0 * part / whole);
    return percent == 0 && part > 0 ? "< 1 %" : percent + " %";
  }

  /** {@code 0.4 s}, {@code 12 s}. */
  public static String seconds(long nanos) {
    long tenths = Math.round(nanos / 1e8);
    return (tenths < 100 ? tenths / 10 + "." + tenths % 10 : Math.round(nanos / 1e9)) + " s";
  }

  /** Whether a limit limits anything: unsigned, 2^64-1 stands for none; cgroup v1 has an absurdly large one. */
  public static boolean isLimit(long bytes) {
    return bytes >= 0 && bytes < LEAST_UNLIMITED;
  }
}
