/** The flags, in groups that several commands share, and the converters of their values. */
package dev.exit137.cli.options;
