/** What both daemons need to be counted by Prometheus. */
package dev.exit137.daemon.metrics;
