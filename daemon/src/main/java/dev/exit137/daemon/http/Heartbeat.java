package dev.exit137.daemon.http;

import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongSupplier;

/**
 * Checks whether a thread still runs its tasks. Each check queues an empty task, unless one is still pending, and never
 * waits: its result comes from the checks before. A thread without checks is not woken. Safe for all threads.
 */
public final class Heartbeat {
    /** An empty task that is still pending. */
    private record Task(long askedNanos) {}

    private final String name;
    private final Executor thread;
    private final Duration patience;
    private final LongSupplier nanoClock;
    private final AtomicReference<Task> undone = new AtomicReference<>();

    /**
     * @param name of the thread
     * @param thread runs tasks in their order
     * @param patience how long it may be busy; each of its normal tasks takes less
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

    /** Returns the state of the thread according to the checks before this one. */
    @SuppressWarnings("ReferenceEquality") // of two tasks with the same time
    public Check check() {
        long now = nanoClock.getAsLong();
        Task asked = undone.get();
        if (asked == null) {
            return ask(new Task(now));
        }
        Duration silence = Duration.ofNanos(now - asked.askedNanos());
        return silence.compareTo(patience) > 0 && undone.get() == asked
                ? Check.failed(name, "has not answered for " + silence.toSeconds() + " s")
                : Check.ok(name);
    }

    private Check ask(Task task) {
        if (undone.compareAndSet(null, task)) {
            try {
                thread.execute(() -> undone.set(null));
            } catch (RejectedExecutionException e) {
                undone.set(null);
                return Check.failed(name, "has ended");
            } catch (RuntimeException | Error e) {
                undone.set(null);
                throw e;
            }
        }
        return Check.ok(name);
    }
}
