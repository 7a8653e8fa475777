/** One class for each command of exit137. A command reads its {@code options} and prints with {@code render}. */
@NullMarked
package dev.exit137.cli.commands;

import org.jspecify.annotations.NullMarked;
