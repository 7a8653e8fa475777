/** The text of {@code exit137 analyze}: each incident for a tired person, and what all of them together say. */
@NullMarked
package dev.exit137.cli.render.report;

import org.jspecify.annotations.NullMarked;
