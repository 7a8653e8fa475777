/** Earlier kills of the same workload, by which an event says how often it has happened. */
package dev.exit137.agent.history;
