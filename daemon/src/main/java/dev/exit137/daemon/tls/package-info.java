/** How agents and consumers talk to an aggregator without others listening in: both sides of TLS, and tokens. */
@NullMarked
package dev.exit137.daemon.tls;

import org.jspecify.annotations.NullMarked;
