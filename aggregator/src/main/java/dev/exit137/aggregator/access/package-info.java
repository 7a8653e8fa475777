/** Who may publish and who may read: callers are known by their certificates and tokens. */
package dev.exit137.aggregator.access;
