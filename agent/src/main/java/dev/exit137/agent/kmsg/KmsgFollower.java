package dev.exit137.agent.kmsg;

import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.retry.Backoff;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandle;
import java.io.IOException;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the kernel's log read: waits for its records, pauses, and opens the device again, with backoff, when it could not
 * be opened, read or waited for. Whatever fails, another try is on the timer.
 *
 * <p>Owned by the agent-epoll thread.
 */
public final class KmsgFollower {
  private static final String PLACE = "kmsg";

  /** The agent-epoll thread's. */
  public interface Timer {
    /** Runs the task on that thread. */
    void schedule(Runnable task, long delayNanos);
  }

  /** Told of what becomes of the device, on the agent-epoll thread. */
  public interface Listener {
    /** It cannot be read now; the reason is fit for a user. */
    void onUnavailable(String reason);

    /** It was opened again, and read to its end or until there was no room. */
    void onReopened();
  }

  private final KmsgSource source;
  private final Function<EpollIoHandle, IoRegistration> registrar;
  private final Timer timer;
  private final Backoff backoff;
  private final Listener listener;
  private final Guard guard;
  private @Nullable IoRegistration registration;
  private boolean retryDue;
  private boolean closed;
  private long reopens;

  /** @param registrar has the source called when there are records, until what it returns is cancelled */
  public KmsgFollower(
      KmsgSource source,
      Function<EpollIoHandle, IoRegistration> registrar,
      Timer timer,
      Backoff backoff,
      Listener listener,
      Guard guard) {
    this.source = source;
    this.registrar = registrar;
    this.timer = timer;
    this.backoff = backoff;
    this.listener = listener;
    this.guard = guard;
  }

  public KmsgSource source() {
    return source;
  }

  /** How often the device was opened again after it could not be read. */
  public long reopens() {
    return reopens;
  }

  /** Whether the device cannot be read now. */
  public boolean isUnavailable() {
    return !source.isOpen();
  }

  /** Whether nobody waits for its records, though it can be read. */
  public boolean isPaused() {
    return source.isOpen() && registration == null;
  }

  public void open() {
    try {
      source.open();
    } catch (IOException e) {
      failed(Objects.requireNonNull(e.getMessage()));
    }
  }

  /** Reads what there is. */
  public void drain() {
    guard.run(PLACE, source::drain);
  }

  /** Waits for records from now on, also after a pause. */
  public void follow() {
    if (!isPaused()) {
      return;
    }
    try {
      registration = registrar.apply(source);
    } catch (RuntimeException e) {
      // A device that cannot be waited for, /dev/null among them.
      failed("it is not the kernel's log device: " + e.getMessage());
    }
  }

  /** Waits for no more records until {@link #follow}. */
  public void pause() {
    IoRegistration cancelled = registration;
    registration = null;
    if (cancelled != null) {
      cancelled.cancel();
    }
  }

  /** The device is of no use as it is: it is closed, and will be opened again. The reason is fit for a user. */
  public void failed(String reason) {
    pause();
    source.close();
    if (!retryDue) {
      retryDue = true;
      timer.schedule(this::tryAgain, backoff.failed());
    }
    guard.run(PLACE, () -> listener.onUnavailable(reason));
  }

  private void tryAgain() {
    retryDue = false;
    if (!guard.run(PLACE, this::reopen)) {
      failed("it could not be opened again, see the agent's log");
    }
  }

  private void reopen() {
    if (closed) {
      return;
    }
    open();
    source.drain();
    if (!source.isPaused()) {
      follow();
    }
    if (source.isOpen()) {
      backoff.succeeded();
      reopens++;
      listener.onReopened();
    }
  }

  public void close() {
    closed = true;
    pause();
    source.close();
  }
}
