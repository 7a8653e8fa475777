package dev.exit137.daemon.guard;

import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one policy for unexpected exceptions: an exception is logged, once per kind and minute, counted by the place that
 * caught it, and survived. A process has one guard. Errors are survived, too: an OutOfMemoryError ends the process by a
 * flag of the JVM, and a missing class affects only the code that uses it. Safe for all threads.
 */
public final class Guard {
    private static final Logger LOG = LoggerFactory.getLogger(Guard.class);
    private static final long QUIET_NANOS = TimeUnit.MINUTES.toNanos(1);

    /** A kind of failure, and the time of its last log line. */
    private static final class Kind {
        private long loggedNanos;
        private long unlogged;
        private boolean logged;
    }

    private final LongSupplier nanoClock;
    private final Map<String, AtomicLong> counts = new ConcurrentHashMap<>();
    private final Map<String, Kind> kinds = new ConcurrentHashMap<>();

    /** Measures the minute between log lines with the system's monotonic clock. */
    public Guard() {
        this(System::nanoTime);
    }

    Guard(LongSupplier nanoClock) {
        this.nanoClock = nanoClock;
    }

    /**
     * Runs a task and survives its exceptions.
     *
     * @param place where it runs, a short constant; docs/metrics.md lists them all
     * @return whether it ended normally
     */
    public boolean run(String place, Runnable task) {
        try {
            task.run();
            return true;
        } catch (Throwable e) {
            caught(place, e);
            return false;
        }
    }

    /** Returns the result of a task, or the fallback if it throws. */
    public <T> T get(String place, Supplier<T> task, T fallback) {
        try {
            return task.get();
        } catch (Throwable e) {
            caught(place, e);
            return fallback;
        }
    }

    /** Wraps a task for a thread or a timer that must survive its exceptions. */
    public Runnable guarded(String place, Runnable task) {
        return () -> run(place, task);
    }

    /** Logs and counts an exception that was caught elsewhere. */
    public void caught(String place, Throwable thrown) {
        counts.computeIfAbsent(place, unseen -> new AtomicLong()).incrementAndGet();
        Kind kind = kinds.computeIfAbsent(place + " " + thrown.getClass().getName(), unseen -> new Kind());
        long now = nanoClock.getAsLong();
        long unlogged;
        synchronized (kind) {
            if (kind.logged && now - kind.loggedNanos < QUIET_NANOS) {
                kind.unlogged++;
                return;
            }
            unlogged = kind.unlogged;
            kind.logged = true;
            kind.loggedNanos = now;
            kind.unlogged = 0;
        }
        String more = unlogged == 0 ? "" : "; " + unlogged + " more since the last such line";
        LOG.error("{}: going on after an unexpected exception{}", place, more, thrown);
    }

    /** Returns the number of caught exceptions by place since the process started; places without one are absent. */
    public SortedMap<String, Long> counts() {
        SortedMap<String, Long> now = new TreeMap<>();
        counts.forEach((place, count) -> now.put(place, count.get()));
        return now;
    }
}
