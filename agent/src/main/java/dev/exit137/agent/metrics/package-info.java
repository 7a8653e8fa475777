/** The kills of this node as Prometheus counters. */
@NullMarked
package dev.exit137.agent.metrics;

import org.jspecify.annotations.NullMarked;
