package dev.exit137.proto.http;

import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.LongSupplier;

/**
 * Whether a thread still does what it is given. Each look leaves it an empty task, unless one is still to be done, and
 * waits for nothing: a thread that is not looked at is not woken. Safe for all threads.
 */
public final class Heartbeat {
  private final String name;
  private final Executor thread;
  private final Duration patience;
  private final LongSupplier nanoClock;
  private volatile boolean waiting;
  private long askedNanos;

  /**
   * @param name of the thread
   * @param thread runs tasks in their order
   * @param patience how long it may be busy; whatever it does in its duty takes less
   */
  public Heartbeat(String name, Executor thread, Duration patience) {
    this(name, thread, patience, System::nanoTime);
  }

  Heartbeat(String name, Executor thread, Duration patience, LongSupplier nanoClock) {
    this.name = name;
    this.thread = thread;
    this.patience = patience;
    this.nanoClock = nanoClock;
  }

  /** How it is, as far as the looks before this one can tell. */
  public synchronized Check check() {
    long now = nanoClock.getAsLong();
    if (!waiting) {
      waiting = true;
      askedNanos = now;
      try {
        thread.execute(() -> waiting = false);
      } catch (RejectedExecutionException e) {
        waiting = false;
        return Check.failed(name, "has ended");
      }
    }
    Duration silence = Duration.ofNanos(now - askedNanos);
    return waiting && silence.compareTo(patience) > 0
        ? Check.failed(name, "has not answered for " + silence.toSeconds() + " s")
        : Check.ok(name);
  }
}
