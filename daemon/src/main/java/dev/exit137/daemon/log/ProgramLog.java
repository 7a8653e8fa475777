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
 * The log of this process: one line per message on stderr, because stdout is for events. A caller never waits for
 * stderr, and the repeated messages of a flood are only counted. Safe for all threads.
 */
public final class ProgramLog implements AutoCloseable {
    private static final long ROOM_BYTES = 256 << 10;
    private static final long STANDSTILL_NANOS = TimeUnit.SECONDS.toNanos(1);
    /**
     * Minimum levels for libraries, because their lower levels help no user; the longest matching prefix of a logger's
     * name applies.
     */
    private static final Map<String, Level> THRESHOLDS = Map.of(
            // gRPC logs a stack trace for every lost connection; exit137 itself logs the part that a user needs.
            "io.grpc.", Level.ERROR,
            // Netty, and the copy of it in gRPC, logs every optional native library that it does not find.
            "io.netty.", Level.WARN,
            "io.grpc.netty.shaded.", Level.WARN,
            // A node with only a loopback interface has no MAC address, and exit137 does not need one.
            "io.netty.util.internal.MacAddressUtil", Level.ERROR,
            "io.grpc.netty.shaded.io.netty.util.internal.MacAddressUtil", Level.ERROR,
            // gRPC sets a TCP option on unix sockets, too, and logs the failure.
            "io.grpc.netty.shaded.io.netty.bootstrap.Bootstrap", Level.ERROR);
    /** Its failure also causes an exception, which is logged in one line. */
    private static final String NEVER = "org.sqlite.SQLiteJDBCLoader";

    private static final ProgramLog OF_PROCESS = new ProgramLog(
            System.err,
            InstantSource.system(),
            System::nanoTime,
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
     * @param later runs a task after the gate's window has expired
     */
    ProgramLog(PrintStream err, InstantSource clock, LongSupplier nanoClock, Executor later) {
        // The guard of the process does not exist yet: it logs to this log.
        lines = new LineWriter("log", err, ROOM_BYTES, new Guard());
        this.clock = clock;
        this.nanoClock = nanoClock;
        this.later = later;
    }

    /** Returns the log that slf4j uses. */
    public static ProgramLog ofProcess() {
        return OF_PROCESS;
    }

    /** Sets the minimum level. */
    public static void setLevel(Level level) {
        least = level;
    }

    /** Accepts the messages of java.util.logging, too. */
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

    /** Logs or counts the message. The parameters are those of {@link LogMessage}. */
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

    /** Also reports the number of lines dropped before, as soon as there is room for both. */
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
                clock.instant(),
                Level.WARN,
                "log",
                "stderr does not take the log: " + dropped + " lines are not here",
                0,
                null);
    }

    /** Logs the suppressed messages, and writes the pending lines unless stderr stalls. */
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
        private static final Map<java.util.logging.Level, Level> LEVELS = Map.of(
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
            // Every line is flushed when it is written.
        }

        @Override
        public void close() {
            // The handler owns no resource.
        }
    }
}
