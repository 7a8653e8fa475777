/** The figures of {@code make bench}. Nothing here is shipped. */
@NullMarked
package dev.exit137.bench;

import org.jspecify.annotations.NullMarked;
