/** The gRPC stream to an aggregator. */
package dev.exit137.agent.delivery.uplink;
