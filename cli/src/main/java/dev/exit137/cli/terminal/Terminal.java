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
 * What a command gets from the process that it runs in; a test gives it another.
 *
 * @param out stdout: results only, UTF-8
 * @param err stderr: what is said to a person
 * @param environment the environment variables
 * @param clock the wall clock, for times given as "15m ago"
 * @param zone the zone in which text output shows times
 * @param stop asks a command that runs until Ctrl-C to end
 */
public record Terminal(
    PrintStream out,
    PrintStream err,
    Map<String, String> environment,
    InstantSource clock,
    ZoneId zone,
    StopSignal stop) {

  /** The real one. */
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
   * Prints one line of the result, which the reader of a pipe sees at once.
   *
   * @throws OutputClosedException nobody reads any more
   */
  public void print(String line) throws OutputClosedException {
    out.print(line);
    out.print('\n');
    // Flushes, too.
    if (out.checkError()) {
      throw new OutputClosedException();
    }
  }

  /** Says something to the log of a daemon, as a line of it; only what the command itself has to say. */
  public void log(String message) {
    err.println(LogfmtLine.of(clock.instant(), Level.INFO, "exit137", message, 0, null));
  }

  /** Says something to the person, apart from the result. */
  public void say(String line) {
    err.println("exit137: " + line);
  }
}
