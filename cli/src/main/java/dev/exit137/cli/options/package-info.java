/** The flags, in groups that several commands share, and the converters of their values. */
@NullMarked
package dev.exit137.cli.options;

import org.jspecify.annotations.NullMarked;
