/** A class for each command of {@code exit137}; each reads its {@code options}, does its work, and prints by {@code render}. */
@NullMarked
package dev.exit137.cli.commands;

import org.jspecify.annotations.NullMarked;
