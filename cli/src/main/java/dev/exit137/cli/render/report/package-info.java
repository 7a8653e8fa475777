/** The text of {@code exit137 analyze}: a page for each incident, and a summary of all. */
@NullMarked
package dev.exit137.cli.render.report;

import org.jspecify.annotations.NullMarked;
