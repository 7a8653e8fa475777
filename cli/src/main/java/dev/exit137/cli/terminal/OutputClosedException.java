package dev.exit137.cli.terminal;

import java.io.IOException;

/** Stdout was closed, as in {@code exit137 watch | head -1}: a reason to end, not to complain. */
public final class OutputClosedException extends IOException {
  OutputClosedException() {
    super("stdout was closed");
  }
}
