/** The kill of {@code exit137 demo}, and the check of its event. */
@NullMarked
package dev.exit137.cli.demo;

import org.jspecify.annotations.NullMarked;
