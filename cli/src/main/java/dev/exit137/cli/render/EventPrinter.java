package dev.exit137.cli.render;

import com.google.protobuf.MessageOrBuilder;
import dev.exit137.cli.client.EventStream;
import dev.exit137.cli.terminal.Failure;
import dev.exit137.cli.terminal.OutputClosedException;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.OomKillEvent;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Prints events one by one, as text under a header or as JSON Lines. The header of a kind of events comes again after
 * events of another kind. Safe for use by several threads, each with a stream of its own.
 */
public final class EventPrinter {
    private static final Duration FOR_EVER = Duration.ofDays(36_500);

    private final Terminal terminal;
    private final OutputFormat format;
    private final boolean namesKinds;
    private @Nullable Class<?> lastKind;

    /** Prints JSON without the field kind. */
    public EventPrinter(Terminal terminal, OutputFormat format) {
        this(terminal, format, false);
    }

    /** @param namesKinds whether a JSON object has the field kind */
    public EventPrinter(Terminal terminal, OutputFormat format, boolean namesKinds) {
        this.terminal = terminal;
        this.format = format;
        this.namesKinds = namesKinds;
    }

    /**
     * Prints the events of the stream until the terminal's stop signal.
     *
     * @param <E> {@link OomKillEvent} or {@link ExitEvent}
     * @throws Failure the aggregator rejects the stream
     * @throws OutputClosedException the reader has closed stdout
     * @throws IllegalStateException an event cannot be printed; the stream goes on after it
     */
    public <E extends MessageOrBuilder> void printAll(EventStream<E> stream)
            throws Failure, OutputClosedException, InterruptedException {
        for (var event = stream.next(FOR_EVER); event.isPresent(); event = stream.next(FOR_EVER)) {
            try {
                print(event.get());
            } catch (RuntimeException e) {
                throw new IllegalStateException("event " + id(event.get()) + " cannot be printed", e);
            }
        }
    }

    /**
     * Does the same for a daemon, but continues after an event that cannot be printed.
     *
     * @param guard the guard of this process; its place is {@code output}
     */
    public <E extends MessageOrBuilder> void printAll(EventStream<E> stream, Guard guard)
            throws Failure, OutputClosedException, InterruptedException {
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
    public synchronized void print(MessageOrBuilder event) throws OutputClosedException {
        printRow(event);
        if (format == OutputFormat.TEXT && !explanation(event).isEmpty()) {
            terminal.print("  " + Text.printable(explanation(event)));
        }
    }

    /**
     * Prints one event: a JSON line, or a row of the table.
     *
     * @throws OutputClosedException the reader has closed stdout
     */
    public synchronized void printRow(MessageOrBuilder event) throws OutputClosedException {
        if (format == OutputFormat.JSON) {
            terminal.print(namesKinds ? JsonLines.line(kind(event), event) : JsonLines.line(event));
            return;
        }
        boolean first = event.getClass() != lastKind;
        lastKind = event.getClass();
        if (first) {
            terminal.print(header(event));
        }
        terminal.print(row(event));
    }

    private String header(MessageOrBuilder event) {
        return switch (event) {
            case OomKillEvent kill -> EventLine.header(terminal.zone(), Text.instant(kill.getTime()));
            case ExitEvent exit -> ExitLine.header(terminal.zone(), Text.instant(exit.getTime()));
            default -> throw unknown(event);
        };
    }

    private String row(MessageOrBuilder event) {
        return switch (event) {
            case OomKillEvent kill -> EventLine.of(kill, terminal.zone());
            case ExitEvent exit -> ExitLine.of(exit, terminal.zone());
            default -> throw unknown(event);
        };
    }

    private static String explanation(MessageOrBuilder event) {
        return switch (event) {
            case OomKillEvent kill -> kill.getExplanation();
            case ExitEvent exit -> exit.getExplanation();
            default -> throw unknown(event);
        };
    }

    private static String kind(MessageOrBuilder event) {
        return switch (event) {
            case OomKillEvent _ -> "oom";
            case ExitEvent _ -> "exit";
            default -> throw unknown(event);
        };
    }

    private static String id(MessageOrBuilder event) {
        return switch (event) {
            case OomKillEvent kill -> kill.getEventId();
            case ExitEvent exit -> exit.getEventId();
            default -> throw unknown(event);
        };
    }

    private static IllegalArgumentException unknown(MessageOrBuilder event) {
        return new IllegalArgumentException(
                "not an event: " + event.getDescriptorForType().getFullName());
    }
}
