package dev.exit137.cli.terminal;

import org.jspecify.annotations.Nullable;

/** The command failed, and one line explains the reason completely. */
public final class Failure extends Exception {
    /** The exit code of a valid command that failed. */
    public static final int EXIT_CODE_FAILED = 1;
    /** The exit code of bad usage. */
    public static final int EXIT_CODE_USAGE = 2;

    private final int exitCode;

    /** A failure with exit code 1. */
    public Failure(String message) {
        this(message, EXIT_CODE_FAILED, null);
    }

    /**
     * With an exit code of its own.
     *
     * @param exitCode 1 to 255
     */
    public Failure(String message, int exitCode, @Nullable Throwable cause) {
        super(message, cause);
        this.exitCode = exitCode;
    }

    /** The exit code of the process. */
    public int exitCode() {
        return exitCode;
    }
}
