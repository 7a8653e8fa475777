/** Who may publish and who may read: callers are known by their certificates and tokens. */
@NullMarked
package dev.exit137.aggregator.access;

import org.jspecify.annotations.NullMarked;
