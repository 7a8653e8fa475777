/** The limits of one peer (connections, streams, calls), so that no peer exhausts the aggregator for the others. */
@NullMarked
package dev.exit137.aggregator.limits;

import org.jspecify.annotations.NullMarked;
