package dev.exit137.cli.terminal;

import java.io.PrintStream;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * Lines on their way to a stream that may stand still, such as a pipe whose reader hangs: nobody waits for that. One
 * thread of its own makes and writes them; a line that there is no room for is counted and gone. Safe for all threads.
 */
public final class LineWriter implements AutoCloseable {
  private static final long CLOSE_TIMEOUT_MILLIS = 1000;

  private record Line(long bytes, Supplier<String> text) {}

  private final PrintStream out;
  private final long roomBytes;
  private final Queue<Line> lines = new ArrayDeque<>();
  private final Thread thread;
  private long waitingBytes;
  private long written;
  private long dropped;
  private boolean stalled;
  private boolean closed;

  /**
   * Its thread starts with the first line, and keeps no process alive.
   *
   * @param name of the thread
   * @param roomBytes that may wait; one line may always
   */
  public LineWriter(String name, PrintStream out, long roomBytes) {
    this.out = out;
    this.roomBytes = roomBytes;
    thread = new Thread(this::run, name);
    thread.setDaemon(true);
  }

  /**
   * Takes a line.
   *
   * @param bytes about its size
   * @param text makes it, without its end, on the writer's thread
   */
  public synchronized void add(long bytes, Supplier<String> text) {
    if (closed || isFullFor(bytes)) {
      dropped++;
      return;
    }
    if (thread.getState() == Thread.State.NEW) {
      thread.start();
    }
    lines.add(new Line(bytes, text));
    waitingBytes += bytes;
    notifyAll();
  }

  /**
   * Takes a line, and waits for room while the stream moves. One that stands still for so long is not waited for again
   * before it moves.
   */
  public synchronized void addPatiently(long bytes, Supplier<String> text, long standstillNanos) {
    while (isFullFor(bytes) && !stalled && !closed) {
      stalled = !awaitWritten(standstillNanos);
    }
    add(bytes, text);
  }

  private boolean isFullFor(long bytes) {
    return !lines.isEmpty() && waitingBytes + bytes > roomBytes;
  }

  /** Whether a line was written in that time. */
  private boolean awaitWritten(long nanos) {
    long before = written;
    long start = System.nanoTime();
    try {
      for (long left = nanos; written == before && left > 0; left = nanos - (System.nanoTime() - start)) {
        TimeUnit.NANOSECONDS.timedWait(this, left);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return written > before;
  }

  /** Lines that there was no room for, or that nobody reads any more. */
  public synchronized long dropped() {
    return dropped;
  }

  private void run() {
    try {
      for (Line line = next(); line != null; line = next()) {
        out.print(line.text.get() + "\n");
        // Flushes, too: a reader of a pipe sees the line at once.
        onWritten(!out.checkError());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private synchronized Line next() throws InterruptedException {
    while (lines.isEmpty() && !closed) {
      wait();
    }
    Line line = lines.poll();
    waitingBytes -= line == null ? 0 : line.bytes;
    return line;
  }

  private synchronized void onWritten(boolean isRead) {
    written++;
    dropped += isRead ? 0 : 1;
    stalled = false;
    notifyAll();
  }

  /** Writes what waits, for a second at most. */
  @Override
  public void close() {
    synchronized (this) {
      closed = true;
      notifyAll();
    }
    try {
      thread.join(CLOSE_TIMEOUT_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
