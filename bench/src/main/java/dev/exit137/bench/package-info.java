/** The benchmarks of {@code make bench}. They are not part of a release. */
@NullMarked
package dev.exit137.bench;

import org.jspecify.annotations.NullMarked;
