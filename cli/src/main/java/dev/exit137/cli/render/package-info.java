/** Formats events, nodes and summaries as text for people, or as JSON. No other package formats them. */
@NullMarked
package dev.exit137.cli.render;

import org.jspecify.annotations.NullMarked;
