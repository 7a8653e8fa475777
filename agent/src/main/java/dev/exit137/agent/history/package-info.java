/** Earlier kills of the same workload: an event reports how many there were. */
@NullMarked
package dev.exit137.agent.history;

import org.jspecify.annotations.NullMarked;
