/** Earlier kills of the same workload, by which an event says how often it has happened. */
@NullMarked
package dev.exit137.agent.history;

import org.jspecify.annotations.NullMarked;
