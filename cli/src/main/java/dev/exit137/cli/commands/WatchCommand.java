package dev.exit137.cli.commands;

import dev.exit137.cli.client.AggregatorClient;
import dev.exit137.cli.client.EventStream;
import dev.exit137.cli.options.FilterOptions;
import dev.exit137.cli.options.OutputOptions;
import dev.exit137.cli.options.ServerOptions;
import dev.exit137.cli.render.EventPrinter;
import dev.exit137.cli.terminal.Failure;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.v1.WatchEventsRequest;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Follows events until Ctrl-C. */
@Command(
        name = "watch",
        description = "Prints the events of an aggregator as they are stored. Reconnects after a " + "failure.")
public final class WatchCommand implements Callable<Integer> {
    private static final Duration FIRST_BACKOFF = Duration.ofMillis(200);

    private final Terminal terminal;

    @Spec
    private CommandSpec command;

    @Mixin
    private ServerOptions serverOptions;

    @Option(
            names = "--from",
            paramLabel = "TIME",
            description = "Start with stored events of kills at this time or later (default: new events only).")
    private Optional<Instant> from;

    @Option(
            names = "--resume-token",
            paramLabel = "TOKEN",
            description = "Start after the event with this token. A watch prints its token at its end.")
    private Optional<String> resumeToken;

    @Mixin
    private FilterOptions filterOptions;

    @Mixin
    private OutputOptions outputOptions;

    public WatchCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws Exception {
        if (from.isPresent() && resumeToken.isPresent()) {
            throw new ParameterException(
                    command.commandLine(), "--from and --resume-token exclude each other: give one");
        }
        WatchEventsRequest.Builder request = WatchEventsRequest.newBuilder().setFilter(filterOptions.filter());
        from.map(EventFactory::timestamp).ifPresent(request::setFromTime);
        resumeToken.ifPresent(request::setResumeToken);
        terminal.stop().listen();
        try (AggregatorClient client = serverOptions.client(terminal.clock());
                EventStream stream = new EventStream(client, terminal, request.build(), FIRST_BACKOFF)) {
            stream.connect();
            try {
                new EventPrinter(terminal, outputOptions.format()).printAll(stream);
            } catch (Failure | RuntimeException e) {
                sayToken(stream);
                throw e;
            }
            sayToken(stream);
        }
        return 0;
    }

    private void sayToken(EventStream stream) {
        if (!stream.resumeToken().isEmpty()) {
            terminal.say("to go on from here: --resume-token " + stream.resumeToken());
        }
    }
}
