/** The text of {@code exit137 analyze}: each incident for a tired person, and what all of them together say. */
package dev.exit137.cli.render.report;
