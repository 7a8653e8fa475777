/** The Prometheus metrics that both daemons share. */
@NullMarked
package dev.exit137.daemon.metrics;

import org.jspecify.annotations.NullMarked;
