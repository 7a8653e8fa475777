/** The process and its terminal: streams, clock, stop signal, and error messages for the user. */
@NullMarked
package dev.exit137.cli.terminal;

import org.jspecify.annotations.NullMarked;
