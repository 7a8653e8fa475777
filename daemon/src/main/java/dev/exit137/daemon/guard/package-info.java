/** What a daemon does with an exception that nobody expected: it logs it, counts it, and goes on. */
package dev.exit137.daemon.guard;
