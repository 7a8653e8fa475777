/** Secure connections between an aggregator, its agents and its consumers: both sides of TLS, and tokens. */
@NullMarked
package dev.exit137.daemon.tls;

import org.jspecify.annotations.NullMarked;
