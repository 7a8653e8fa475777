/** How long to wait before something that failed is tried again. */
@NullMarked
package dev.exit137.daemon.retry;

import org.jspecify.annotations.NullMarked;
