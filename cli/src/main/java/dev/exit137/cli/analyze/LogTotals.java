package dev.exit137.cli.analyze;

/**
 * What was read of a log.
 *
 * @param bytes all of it
 * @param lines of any kind, the kernel's or not
 * @param linesCut lines longer than what is kept of a line: their beginning was used
 * @param reportsSuppressed reports of an OOM that the kernel says it left out (rate limit)
 */
public record LogTotals(long bytes, long lines, long linesCut, long reportsSuppressed) {}
