package dev.exit137.cli.analyze;

/**
 * Counts of a log that was read to its end.
 *
 * @param bytes size of the log
 * @param lines number of all lines, including those that are not the kernel's
 * @param linesCut number of lines that were too long; only their beginning was used
 * @param reportsSuppressed number of OOM reports that the kernel left out, as it says (rate limit)
 */
public record LogTotals(long bytes, long lines, long linesCut, long reportsSuppressed) {}
