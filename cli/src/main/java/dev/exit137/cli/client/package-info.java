/** How commands ask an aggregator: one call, or a stream that reconnects. */
package dev.exit137.cli.client;
