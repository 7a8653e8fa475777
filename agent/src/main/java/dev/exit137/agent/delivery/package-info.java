/** From the epoll thread to the aggregator: events completed, kept until they are acknowledged, and the checkpoint. */
@NullMarked
package dev.exit137.agent.delivery;

import org.jspecify.annotations.NullMarked;
