/**
 * The log and the counters joined: one event per killed process, its cgroup, and the books that prove that none is lost
 * and none is told twice.
 */
@NullMarked
package dev.exit137.agent.correlate;

import org.jspecify.annotations.NullMarked;
