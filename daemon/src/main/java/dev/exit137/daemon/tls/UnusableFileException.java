package dev.exit137.daemon.tls;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A file that a flag names cannot be used. The message is fit for the user: flag, file, fault, remedy. */
public final class UnusableFileException extends IOException {
    UnusableFileException(String message, @Nullable Exception cause) {
        super(message, cause);
    }
}
