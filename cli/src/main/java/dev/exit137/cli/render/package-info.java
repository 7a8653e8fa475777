/** Events, nodes and summaries as a person reads them, or as JSON. The only place that formats them. */
@NullMarked
package dev.exit137.cli.render;

import org.jspecify.annotations.NullMarked;
