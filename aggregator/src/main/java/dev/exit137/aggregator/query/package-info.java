/** The queries of consumers: lists, single events, summaries, nodes, and watches, which are cursors over the store. */
@NullMarked
package dev.exit137.aggregator.query;

import org.jspecify.annotations.NullMarked;
