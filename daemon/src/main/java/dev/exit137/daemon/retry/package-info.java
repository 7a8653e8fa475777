/** The wait before a failed operation is tried again. */
@NullMarked
package dev.exit137.daemon.retry;

import org.jspecify.annotations.NullMarked;
