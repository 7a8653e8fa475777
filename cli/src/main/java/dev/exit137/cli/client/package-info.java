/** The connection of a command to an aggregator: single calls, and a stream that reconnects. */
@NullMarked
package dev.exit137.cli.client;

import org.jspecify.annotations.NullMarked;
