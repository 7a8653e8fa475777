/** What both daemons need to be counted by Prometheus. */
@NullMarked
package dev.exit137.daemon.metrics;

import org.jspecify.annotations.NullMarked;
