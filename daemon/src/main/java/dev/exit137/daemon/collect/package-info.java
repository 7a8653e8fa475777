/** Collections of bounded size. */
@NullMarked
package dev.exit137.daemon.collect;

import org.jspecify.annotations.NullMarked;
