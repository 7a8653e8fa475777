/** The process at its terminal: its streams, its clock, its stop signal, and the errors that a user reads. */
@NullMarked
package dev.exit137.cli.terminal;

import org.jspecify.annotations.NullMarked;
