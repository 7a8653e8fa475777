/** {@code exit137}: {@link dev.exit137.cli.Main} parses the command line; {@code commands} has a class for each command. */
package dev.exit137.cli;
