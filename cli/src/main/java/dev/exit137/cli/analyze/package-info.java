/** {@code exit137 analyze}: the kernel's OOM reports in a saved log, whatever wrote it down. */
package dev.exit137.cli.analyze;
