package dev.exit137.cli.render;

import dev.exit137.cli.client.EventStream;
import dev.exit137.cli.terminal.Failure;
import dev.exit137.cli.terminal.OutputClosedException;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.OomKillEvent;
import java.time.Duration;

/** Prints events one by one, as text under a header or as JSON Lines. For one thread. */
public final class EventPrinter {
    private static final Duration FOR_EVER = Duration.ofDays(36_500);

    private final Terminal terminal;
    private final OutputFormat format;
    private boolean first = true;

    public EventPrinter(Terminal terminal, OutputFormat format) {
        this.terminal = terminal;
        this.format = format;
    }

    /**
     * Prints the events of the stream until the terminal's stop signal.
     *
     * @throws Failure the aggregator rejects the stream
     * @throws OutputClosedException the reader has closed stdout
     * @throws IllegalStateException an event cannot be printed; the stream goes on after it
     */
    public void printAll(EventStream stream) throws Failure, OutputClosedException, InterruptedException {
        for (var event = stream.next(FOR_EVER); event.isPresent(); event = stream.next(FOR_EVER)) {
            try {
                print(event.get());
            } catch (RuntimeException e) {
                throw new IllegalStateException("event " + event.get().getEventId() + " cannot be printed", e);
            }
        }
    }

    /**
     * Does the same for a daemon, but continues after an event that cannot be printed.
     *
     * @param guard the guard of this process; its place is {@code output}
     */
    public void printAll(EventStream stream, Guard guard) throws Failure, OutputClosedException, InterruptedException {
        while (!terminal.stop().isRequested()) {
            try {
                printAll(stream);
            } catch (RuntimeException e) {
                guard.caught("output", e);
            }
        }
    }

    /**
     * Prints the event and, in text format, its explanation below.
     *
     * @throws OutputClosedException the reader has closed stdout
     */
    public void print(OomKillEvent event) throws OutputClosedException {
        printRow(event);
        if (format == OutputFormat.TEXT && !event.getExplanation().isEmpty()) {
            terminal.print("  " + Text.printable(event.getExplanation()));
        }
    }

    /**
     * Prints one event: a JSON line, or a row of the table.
     *
     * @throws OutputClosedException the reader has closed stdout
     */
    public void printRow(OomKillEvent event) throws OutputClosedException {
        if (format == OutputFormat.JSON) {
            terminal.print(JsonLines.line(event));
            return;
        }
        if (first) {
            terminal.print(EventLine.header(terminal.zone(), Text.instant(event.getTime())));
            first = false;
        }
        terminal.print(EventLine.of(event, terminal.zone()));
    }
}
