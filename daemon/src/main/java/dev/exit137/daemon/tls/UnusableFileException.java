package dev.exit137.daemon.tls;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A file that a flag names cannot be used. The message is fit for a user: flag, file, what is wrong, what to do. */
public final class UnusableFileException extends IOException {
  UnusableFileException(String message, @Nullable Exception cause) {
    super(message, cause);
  }
}
