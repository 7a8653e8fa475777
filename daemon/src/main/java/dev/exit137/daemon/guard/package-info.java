/** The handling of unexpected exceptions: a daemon logs them, counts them, and continues. */
@NullMarked
package dev.exit137.daemon.guard;

import org.jspecify.annotations.NullMarked;
