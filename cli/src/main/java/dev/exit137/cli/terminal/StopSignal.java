package dev.exit137.cli.terminal;

import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import jnr.constants.platform.Signal;
import jnr.posix.util.SunMiscSignal;

/**
 * The wish to end, from Ctrl-C or SIGTERM. A command that runs until then listens to it, closes what it has opened and
 * returns like any other; so the process ends with the command's own exit code, and nothing is left half-closed. The
 * second signal ends the process at once. Safe for use by any thread.
 */
public final class StopSignal {
  private static final int EXIT_CODE_FORCED = 130;

  private final Set<Signal> signals;
  private final CompletableFuture<Void> requested = new CompletableFuture<>();

  /** @param signals those that stop this process once {@link #listen} was called; none in a test */
  public StopSignal(Set<Signal> signals) {
    this.signals = signals;
  }

  /** From now on the signals no longer end the process: the caller promises to end soon after one came. */
  public void listen() {
    for (Signal signal : signals) {
      SunMiscSignal.signal(signal, number -> {
        if (!requested.complete(null)) {
          Runtime.getRuntime().halt(EXIT_CODE_FORCED);
        }
      });
    }
  }

  /** Asks for the end, as a signal does. */
  public void request() {
    requested.complete(null);
  }

  /** Whether the end was asked for. */
  public boolean isRequested() {
    return requested.isDone();
  }

  /** Runs an action, quick and without failure, when the end is asked for; at once if it already was. */
  public void onRequest(Runnable action) {
    requested.thenRun(action);
  }

  /** Waits until the end is asked for. */
  public void await() throws InterruptedException {
    await(Duration.ofNanos(Long.MAX_VALUE));
  }

  /** Waits at most so long; says whether the end was asked for. */
  public boolean await(Duration atMost) throws InterruptedException {
    try {
      requested.get(atMost.toNanos(), TimeUnit.NANOSECONDS);
      return true;
    } catch (TimeoutException e) {
      return false;
    } catch (ExecutionException e) {
      throw new AssertionError("never completed with a failure", e);
    }
  }
}
