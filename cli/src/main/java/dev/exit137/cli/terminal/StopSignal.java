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
 * The request to stop, from Ctrl-C or SIGTERM. A command that runs until then waits for it, closes its resources and
 * returns like any other command. So the process ends with the command's own exit code, and every resource is closed.
 * The second signal ends the process at once. Safe for use by any thread.
 */
public final class StopSignal {
    private static final int EXIT_CODE_FORCED = 130;

    private final Set<Signal> signals;
    private final CompletableFuture<Void> requested = new CompletableFuture<>();

    /** @param signals the signals that request the stop after a call of {@link #listen}; none in a test */
    public StopSignal(Set<Signal> signals) {
        this.signals = signals;
    }

    /** From now on a signal does not end the process: the caller must end soon after it. */
    public void listen() {
        for (Signal signal : signals) {
            SunMiscSignal.signal(signal, number -> {
                if (!requested.complete(null)) {
                    Runtime.getRuntime().halt(EXIT_CODE_FORCED);
                }
            });
        }
    }

    /** Requests the stop, as a signal does. */
    public void request() {
        requested.complete(null);
    }

    /** Whether the stop was requested. */
    public boolean isRequested() {
        return requested.isDone();
    }

    /** Runs a quick action that cannot fail when the stop is requested, or at once if it already was. */
    public void onRequest(Runnable action) {
        requested.thenRun(action);
    }

    /** Waits until the stop is requested. */
    public void await() throws InterruptedException {
        await(Duration.ofNanos(Long.MAX_VALUE));
    }

    /** Waits at most this long; returns whether the stop was requested. */
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
