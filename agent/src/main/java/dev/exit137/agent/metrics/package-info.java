/** The kills of this node as Prometheus counters. */
package dev.exit137.agent.metrics;
