/** Groups of flags that several commands share, and the converters for their values. */
@NullMarked
package dev.exit137.cli.options;

import org.jspecify.annotations.NullMarked;
