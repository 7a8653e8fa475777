package dev.exit137.daemon.log;

import dev.exit137.daemon.guard.Guard;
import java.io.PrintStream;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.logging.Handler;
import java.util.logging.LogManager;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;
import org.slf4j.event.Level;

/**
 * The log of this process: a line to a message on stderr, since stdout belongs to events. Nobody who logs waits for
 * stderr, and a flood of the same message is counted. Safe for all threads.
 */
public final class ProgramLog implements AutoCloseable {
  private static final long ROOM_BYTES = 256 << 10;
  private static final long STANDSTILL_NANOS = TimeUnit.SECONDS.toNanos(1);
  /** What libraries say below that level helps nobody here; the longest prefix of a logger's name counts. */
  private static final Map<String, Level> THRESHOLDS =
      Map.of(
          // A stack trace for every lost connection; what a user needs of it is said by exit137 itself.
          "io.grpc.", Level.ERROR,
          // Netty, the one of gRPC among them, explains at length which optional native parts it did not find.
          "io.netty.", Level.WARN,
          "io.grpc.netty.shaded.", Level.WARN,
          // A node with nothing but a loopback interface has no MAC address, and nothing here wants one.
          "io.netty.util.internal.MacAddressUtil", Level.ERROR,
          "io.grpc.netty.shaded.io.netty.util.internal.MacAddressUtil", Level.ERROR,
          // gRPC sets an option of TCP on unix sockets, too.
          "io.grpc.netty.shaded.io.netty.bootstrap.Bootstrap", Level.ERROR);
  /** Its failure comes back as an exception, which is told in one line. */
  private static final String NEVER = "org.sqlite.SQLiteJDBCLoader";

  private static final ProgramLog OF_PROCESS =
      new ProgramLog(
          System.err, InstantSource.system(), System::nanoTime,
          CompletableFuture.delayedExecutor(FloodGate.WINDOW_NANOS, TimeUnit.NANOSECONDS, Runnable::run));
  private static volatile Level least = Level.INFO;

  private final LineWriter lines;
  private final InstantSource clock;
  private final LongSupplier nanoClock;
  private final Executor later;
  private final FloodGate gate = new FloodGate();
  private boolean isTellingDue;
  private long droppedBefore;

  /**
   * @param clock the wall clock, for the times in the lines
   * @param later runs something once the gate's window is over
   */
  ProgramLog(PrintStream err, InstantSource clock, LongSupplier nanoClock, Executor later) {
    // The process's guard is made after its log.
    lines = new LineWriter("log", err, ROOM_BYTES, new Guard());
    this.clock = clock;
    this.nanoClock = nanoClock;
    this.later = later;
  }

  /** The one that slf4j uses. */
  public static ProgramLog ofProcess() {
    return OF_PROCESS;
  }

  /** From now on only what is at least so severe is told. */
  public static void setLevel(Level level) {
    least = level;
  }

  /** Takes what libraries say by java.util.logging, too. */
  public void takeJavaUtilLogging() {
    LogManager.getLogManager().reset();
    Logger.getLogger("").addHandler(new JavaUtilLogging());
  }

  static boolean isEnabled(String logger, Level level) {
    String longest = "";
    for (String prefix : THRESHOLDS.keySet()) {
      if (logger.startsWith(prefix) && prefix.length() > longest.length()) {
        longest = prefix;
      }
    }
    Level threshold = THRESHOLDS.getOrDefault(longest, Level.TRACE);
    return level.toInt() >= Math.max(threshold.toInt(), least.toInt()) && !logger.equals(NEVER);
  }

  /** Logs it, or counts it. The parameters are those of {@link LogMessage}. */
  synchronized void add(Level level, String logger, String pattern, Object[] arguments, @Nullable Throwable thrown) {
    LogMessage message = new LogMessage(clock.instant(), level, logger, pattern, arguments, thrown);
    tellDue();
    if (gate.passes(message, nanoClock.getAsLong())) {
      tell(message, 0);
    } else if (!isTellingDue) {
      isTellingDue = true;
      later.execute(this::tellLater);
    }
  }

  private synchronized void tellLater() {
    tellDue();
    isTellingDue = gate.isHolding();
    if (isTellingDue) {
      later.execute(this::tellLater);
    }
  }

  private void tellDue() {
    gate.takeDue(nanoClock.getAsLong()).forEach(held -> tell(held.last(), held.others()));
  }

  /** With it goes how many lines were dropped before, as soon as there is room for both. */
  private void tell(LogMessage message, long moreLikeThis) {
    String line = message.line(moreLikeThis);
    long dropped = lines.dropped();
    String text = dropped > droppedBefore ? loss(dropped) + "\n" + line : line;
    if (lines.add(text.length(), () -> text)) {
      droppedBefore = dropped;
    }
  }

  private String loss(long dropped) {
    return LogfmtLine.of(
        clock.instant(), Level.WARN, "log", "stderr does not take the log: " + dropped + " lines are not here", 0, null);
  }

  /** Logs what a flood has held back, and writes what waits while stderr takes it. */
  @Override
  public void close() {
    List<String> last = new ArrayList<>();
    synchronized (this) {
      gate.takeAll().forEach(held -> last.add(held.last().line(held.others())));
      long dropped = lines.dropped();
      if (dropped > droppedBefore) {
        last.add(loss(dropped));
      }
    }
    last.forEach(line -> lines.addPatiently(line.length(), () -> line, STANDSTILL_NANOS));
    lines.close();
  }

  private final class JavaUtilLogging extends Handler {
    private static final Map<java.util.logging.Level, Level> LEVELS =
        Map.of(
            java.util.logging.Level.SEVERE, Level.ERROR,
            java.util.logging.Level.WARNING, Level.WARN,
            java.util.logging.Level.INFO, Level.INFO);

    @Override
    public void publish(LogRecord entry) {
      Level level = LEVELS.getOrDefault(entry.getLevel(), Level.DEBUG);
      String logger = String.valueOf(entry.getLoggerName());
      if (isEnabled(logger, level)) {
        add(level, logger, String.valueOf(entry.getMessage()), entry.getParameters(), entry.getThrown());
      }
    }

    @Override
    public void flush() {
      // Every line is.
    }

    @Override
    public void close() {
      // Nothing of its own is open.
    }
  }
}
