/** The agents' streams: each message is checked, stored, and then acknowledged. */
@NullMarked
package dev.exit137.aggregator.ingest;

import org.jspecify.annotations.NullMarked;
