/**
 * Joins the log with the counters: one event per killed process, its cgroup, and the accounts that prove that no kill
 * is lost and none is reported twice.
 */
@NullMarked
package dev.exit137.agent.correlate;

import org.jspecify.annotations.NullMarked;
