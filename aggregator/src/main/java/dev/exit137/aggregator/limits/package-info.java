/** How much one peer may ask: its connections, streams and calls, so that none takes the aggregator from the others. */
@NullMarked
package dev.exit137.aggregator.limits;

import org.jspecify.annotations.NullMarked;
