/**
 * The assembly of the aggregator: {@link dev.exit137.aggregator.Aggregator} opens the store and starts the gRPC server.
 * Agents publish to {@code ingest}, which writes to {@code store}; consumers read through {@code query}; {@code access}
 * and {@code limits} decide which calls are served.
 */
@NullMarked
package dev.exit137.aggregator;

import org.jspecify.annotations.NullMarked;
