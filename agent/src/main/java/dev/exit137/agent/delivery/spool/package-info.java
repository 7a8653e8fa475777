/** Events on the disk of the node until an aggregator has them. */
package dev.exit137.agent.delivery.spool;
