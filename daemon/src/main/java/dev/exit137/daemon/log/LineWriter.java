package dev.exit137.daemon.log;

import dev.exit137.daemon.guard.Guard;
import java.io.PrintStream;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Lines on their way to a stream that may stand still, such as a pipe whose reader hangs: nobody waits for that. One
 * thread of its own makes and writes them; a line that there is no room for is counted and gone. Safe for all threads.
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
   * Its thread starts with the first line, and keeps no process alive.
   *
   * @param name of the thread, and the guard's place for a line that cannot be made
   * @param roomBytes that may wait; one line may always
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
   * Takes a line.
   *
   * @param bytes about its size
   * @param text makes it, without its end, on the writer's thread
   * @return whether there is room for it
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
   * Takes a line, and waits for room while the stream moves. One that takes longer than that for a line is not waited for
   * again before it moves.
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

  /** Whether a line is done with before the stream has stood still for so long. */
  private boolean awaitFinished(long standstillNanos) {
    long before = finished;
    try {
      while (finished == before) {
        // A busy machine may take long to make a line; only the stream is given up.
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

  /** Lines that there was no room for, that could not be made, or that nobody reads any more. */
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

  /** Whether somebody reads. */
  private boolean write(String line) {
    synchronized (this) {
      writing = true;
      writingSinceNanos = System.nanoTime();
      notifyAll();
    }
    out.print(line + "\n");
    // Flushes, too: a reader of a pipe sees the line at once.
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

  /** Writes what waits while the stream moves; what is left when it has stood still for 5 s is dropped. */
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
