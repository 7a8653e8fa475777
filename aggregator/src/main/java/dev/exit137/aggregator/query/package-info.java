/** What consumers ask: lists, single events, summaries, nodes, and watches, which are cursors over the store. */
package dev.exit137.aggregator.query;
