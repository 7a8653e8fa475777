/** {@code exit137 analyze}: reads the kernel's OOM reports in a saved log of any format. */
@NullMarked
package dev.exit137.cli.analyze;

import org.jspecify.annotations.NullMarked;
