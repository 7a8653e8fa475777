/** {@code exit137 analyze}: the kernel's OOM reports in a saved log, whatever wrote it down. */
@NullMarked
package dev.exit137.cli.analyze;

import org.jspecify.annotations.NullMarked;
