/** {@code exit137}: {@link dev.exit137.cli.Main} parses the command line; {@code commands} has a class for each command. */
@NullMarked
package dev.exit137.cli;

import org.jspecify.annotations.NullMarked;
