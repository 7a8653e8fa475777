/** How much one peer may ask: its connections, streams and calls, so that none takes the aggregator from the others. */
package dev.exit137.aggregator.limits;
