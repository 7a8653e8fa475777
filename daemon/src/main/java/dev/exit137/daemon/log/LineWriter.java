package dev.exit137.daemon.log;

import dev.exit137.daemon.guard.Guard;
import java.io.PrintStream;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Writes lines to a stream that may stall, such as a pipe to a reader that hangs; callers of {@link #add} never wait
 * for it. A thread of its own formats and writes the lines; a line without room in the queue is dropped and counted.
 * Safe for all threads.
 */
public final class LineWriter implements AutoCloseable {
    private static final long CLOSE_STANDSTILL_NANOS = TimeUnit.SECONDS.toNanos(5);

    private record Line(long bytes, Supplier<String> text) {}

    private final String name;
    private final PrintStream out;
    private final long roomBytes;
    private final Guard guard;
    private final Queue<Line> lines = new ArrayDeque<>();
    private final Thread thread;
    private @Nullable Line inHand;
    private boolean writing;
    private long writingSinceNanos;
    private long waitingBytes;
    private long finished;
    private long dropped;
    private boolean stalled;
    private boolean closed;

    /**
     * The thread starts with the first line; it is a daemon thread.
     *
     * @param name of the thread, and the guard's place for a line that cannot be formatted
     * @param roomBytes maximum size of the queued lines, bytes; one line is always accepted
     */
    public LineWriter(String name, PrintStream out, long roomBytes, Guard guard) {
        this.name = name;
        this.out = out;
        this.roomBytes = roomBytes;
        this.guard = guard;
        thread = new Thread(this::run, name);
        thread.setDaemon(true);
    }

    /**
     * Queues a line.
     *
     * @param bytes its approximate size
     * @param text formats it, without a line separator, on the writer's thread
     * @return false if there is no room for it
     */
    public synchronized boolean add(long bytes, Supplier<String> text) {
        if (closed || isFullFor(bytes)) {
            dropped++;
            return false;
        }
        if (thread.getState() == Thread.State.NEW) {
            thread.start();
        }
        lines.add(new Line(bytes, text));
        waitingBytes += bytes;
        notifyAll();
        return true;
    }

    /**
     * Queues a line, and waits for room while the stream makes progress. After a stall longer than the given time, later
     * calls do not wait until the stream makes progress again.
     */
    public synchronized void addPatiently(long bytes, Supplier<String> text, long standstillNanos) {
        while (isFullFor(bytes) && !stalled && !closed) {
            stalled = !awaitFinished(standstillNanos);
        }
        add(bytes, text);
    }

    private boolean isFullFor(long bytes) {
        return !lines.isEmpty() && waitingBytes + bytes > roomBytes;
    }

    /** Returns whether a line was finished before the stream stalled for the given time. */
    private boolean awaitFinished(long standstillNanos) {
        long before = finished;
        try {
            while (finished == before) {
                // A busy machine may need long to format a line; only a stall of the stream counts.
                long left = writing ? standstillNanos - (System.nanoTime() - writingSinceNanos) : Long.MAX_VALUE;
                if (left <= 0) {
                    return false;
                }
                TimeUnit.NANOSECONDS.timedWait(this, left);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return finished > before;
    }

    /** Returns the number of lines that had no room, could not be formatted, or could not be written. */
    public synchronized long dropped() {
        return dropped;
    }

    private void run() {
        try {
            for (Line line = next(); line != null; line = next()) {
                Supplier<String> text = line.text;
                onFinished(guard.get(name, () -> write(text.get()), false));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private synchronized @Nullable Line next() throws InterruptedException {
        while (lines.isEmpty() && !closed) {
            wait();
        }
        inHand = lines.poll();
        waitingBytes -= inHand == null ? 0 : inHand.bytes;
        return inHand;
    }

    /** Returns false if the write failed. */
    private boolean write(String line) {
        synchronized (this) {
            writing = true;
            writingSinceNanos = System.nanoTime();
            notifyAll();
        }
        out.print(line + "\n");
        // checkError also flushes: a reader of a pipe sees the line at once.
        return !out.checkError();
    }

    private synchronized void onFinished(boolean isRead) {
        dropped += isRead || inHand == null ? 0 : 1;
        inHand = null;
        writing = false;
        stalled = false;
        finished++;
        notifyAll();
    }

    /** Writes the queued lines while the stream makes progress; after a stall of 5 s the rest is dropped. */
    @Override
    public void close() {
        close(CLOSE_STANDSTILL_NANOS);
    }

    synchronized void close(long standstillNanos) {
        closed = true;
        notifyAll();
        while (inHand != null || !lines.isEmpty()) {
            if (!awaitFinished(standstillNanos)) {
                dropped += lines.size() + (inHand == null ? 0 : 1);
                lines.clear();
                inHand = null;
            }
        }
    }
}
