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
 * Keeps the kernel's log read: waits for its records, pauses, and opens the device again, with backoff, after it could
 * not be opened, read or waited for. After any failure another attempt is scheduled.
 *
 * <p>Owned by the agent-epoll thread.
 */
public final class KmsgFollower {
    private static final String PLACE = "kmsg";

    /** The timer of the agent-epoll thread. */
    public interface Timer {
        /** Runs the task on that thread. */
        void schedule(Runnable task, long delayNanos);
    }

    /** Receives the state of the device, on the agent-epoll thread. */
    public interface Listener {
        /** The device cannot be read now; the reason is fit for a user. */
        void onUnavailable(String reason);

        /** The device was opened again, and read to its end or until there was no room. */
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

    /** @param registrar registers the source for readable records, until the returned registration is cancelled */
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

    /** Whether the device can be read, but its records are not waited for. */
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

    /** Reads the available records. */
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
            // epoll cannot wait for some devices, such as /dev/null.
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

    /** The device is unusable: it is closed, and will be opened again. The reason is fit for a user. */
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
