package dev.exit137.cli.terminal;

import org.jspecify.annotations.Nullable;

/** The job failed for a reason that one line tells whole. */
public final class Failure extends Exception {
  /** For what the job was asked to do and could not. */
  public static final int EXIT_CODE_FAILED = 1;
  /** For what should never have been asked. */
  public static final int EXIT_CODE_USAGE = 2;

  private final int exitCode;

  /** Exit code 1. */
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

  /** What the process shall end with. */
  public int exitCode() {
    return exitCode;
  }
}
