/** What a daemon does with an exception that nobody expected: it logs it, counts it, and goes on. */
@NullMarked
package dev.exit137.daemon.guard;

import org.jspecify.annotations.NullMarked;
