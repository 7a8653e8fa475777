/** The process at its terminal: its streams, its clock, its stop signal, and the errors that a user reads. */
package dev.exit137.cli.terminal;
