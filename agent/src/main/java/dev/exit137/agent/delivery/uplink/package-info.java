/** The gRPC stream to an aggregator. */
@NullMarked
package dev.exit137.agent.delivery.uplink;

import org.jspecify.annotations.NullMarked;
