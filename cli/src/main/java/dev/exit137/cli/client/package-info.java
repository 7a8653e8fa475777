/** How commands ask an aggregator: one call, or a stream that reconnects. */
@NullMarked
package dev.exit137.cli.client;

import org.jspecify.annotations.NullMarked;
