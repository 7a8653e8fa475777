/** The agents' streams: each message is checked, stored, and then acknowledged. */
package dev.exit137.aggregator.ingest;
