/** Events, nodes and summaries as a person reads them, or as JSON. The only place that formats them. */
package dev.exit137.cli.render;
