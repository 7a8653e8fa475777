/** Authentication by certificates and tokens, and the permissions to publish and to read. */
@NullMarked
package dev.exit137.aggregator.access;

import org.jspecify.annotations.NullMarked;
