package dev.exit137.cli.terminal;

import dev.exit137.daemon.log.LogfmtLine;
import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.time.ZoneId;
import java.util.EnumSet;
import java.util.Map;
import jnr.constants.platform.Signal;
import org.slf4j.event.Level;

/**
 * The process as a command sees it; a test replaces it.
 *
 * @param out stdout: results only, UTF-8
 * @param err stderr: messages to a person
 * @param environment the environment variables
 * @param clock the wall clock, for times given as "15m ago"
 * @param zone the zone in which text output shows times
 * @param stop requests the end of a command that runs until Ctrl-C
 */
public record Terminal(
        PrintStream out,
        PrintStream err,
        Map<String, String> environment,
        InstantSource clock,
        ZoneId zone,
        StopSignal stop) {

    /** The terminal of the real process. */
    public static Terminal ofProcess() {
        // One write per line, whole: System.out would write each line in pieces.
        var stdout = new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16);
        return new Terminal(
                new PrintStream(stdout, false, StandardCharsets.UTF_8),
                System.err,
                System.getenv(),
                InstantSource.system(),
                ZoneId.systemDefault(),
                new StopSignal(EnumSet.of(Signal.SIGINT, Signal.SIGTERM, Signal.SIGHUP)));
    }

    /**
     * Prints one line of the result; the reader of a pipe gets it at once.
     *
     * @throws OutputClosedException the reader has closed stdout
     */
    public void print(String line) throws OutputClosedException {
        out.print(line);
        out.print('\n');
        // Flushes, too.
        if (out.checkError()) {
            throw new OutputClosedException();
        }
    }

    /** Logs a message of the command itself to the log of a daemon. */
    public void log(String message) {
        err.println(LogfmtLine.of(clock.instant(), Level.INFO, "exit137", message, 0, null));
    }

    /** Prints a message to the person on stderr, apart from the result. */
    public void say(String line) {
        err.println("exit137: " + line);
    }
}
