package dev.exit137.cli.terminal;

import java.io.IOException;

/** Stdout was closed, as in {@code exit137 watch | head -1}: the command ends without an error. */
public final class OutputClosedException extends IOException {
    OutputClosedException() {
        super("stdout was closed");
    }
}
