/**
 * The way from the epoll thread to the aggregator: events are completed, and kept until they are acknowledged; the
 * checkpoint.
 */
@NullMarked
package dev.exit137.agent.delivery;

import org.jspecify.annotations.NullMarked;
