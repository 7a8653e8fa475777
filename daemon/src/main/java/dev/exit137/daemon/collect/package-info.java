/** Collections that do not grow for ever. */
@NullMarked
package dev.exit137.daemon.collect;

import org.jspecify.annotations.NullMarked;
