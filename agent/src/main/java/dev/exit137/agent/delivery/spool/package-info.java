/** Events on the disk of the node until an aggregator has them. */
@NullMarked
package dev.exit137.agent.delivery.spool;

import org.jspecify.annotations.NullMarked;
