package dev.exit137.cli.commands;

import com.google.protobuf.MessageOrBuilder;
import dev.exit137.cli.client.AggregatorClient;
import dev.exit137.cli.client.EventStream;
import dev.exit137.cli.client.ExitWatch;
import dev.exit137.cli.client.KillWatch;
import dev.exit137.cli.options.EventKinds;
import dev.exit137.cli.options.EventKinds.Kind;
import dev.exit137.cli.options.FilterOptions;
import dev.exit137.cli.options.KindOptions;
import dev.exit137.cli.options.OutputOptions;
import dev.exit137.cli.options.ResumeTokens;
import dev.exit137.cli.options.ServerOptions;
import dev.exit137.cli.render.EventPrinter;
import dev.exit137.cli.terminal.Failure;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.WatchEventsRequest;
import dev.exit137.proto.v1.WatchExitsRequest;
import io.grpc.Status;
import java.time.Duration;
import java.time.Instant;
import java.util.EnumMap;
import java.util.Map;
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
        description = "Prints the events of an aggregator as they are stored: OOM kills, and ends of containers and "
                + "services. Reconnects after a failure.")
public final class WatchCommand implements Callable<Integer> {
    private static final Duration FIRST_BACKOFF = Duration.ofMillis(200);

    private final Terminal terminal;

    @Spec
    private CommandSpec command;

    @Mixin
    private ServerOptions serverOptions;

    @Mixin
    private KindOptions kindOptions;

    @Option(
            names = "--from",
            paramLabel = "TIME",
            description = "Start with stored events of this time or later (default: new events only).")
    private Optional<Instant> from;

    @Option(
            names = "--resume-token",
            paramLabel = "TOKEN",
            converter = ResumeTokens.Converter.class,
            description =
                    "Start after the event with this token. A watch prints its token at its end, or a token for each "
                            + "kind.")
    private Optional<ResumeTokens> resumeTokens;

    @Mixin
    private FilterOptions filterOptions;

    @Mixin
    private OutputOptions outputOptions;

    public WatchCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws Exception {
        if (from.isPresent() && resumeTokens.isPresent()) {
            throw new ParameterException(
                    command.commandLine(), "--from and --resume-token exclude each other: give one");
        }
        EventKinds shown = kindOptions.shown(outputOptions.format(), filterOptions.selectsKillsOnly());
        // Both filters are checked before a connection is made.
        WatchEventsRequest killRequest = killRequest();
        WatchExitsRequest exitRequest = shown.has(Kind.EXIT) ? exitRequest() : WatchExitsRequest.getDefaultInstance();
        terminal.stop().listen();
        try (AggregatorClient client = serverOptions.client(terminal.clock());
                EventStream<OomKillEvent> kills =
                        new EventStream<>(client, terminal, new KillWatch(killRequest), FIRST_BACKOFF);
                EventStream<ExitEvent> exits =
                        new EventStream<>(client, terminal, new ExitWatch(exitRequest), FIRST_BACKOFF)) {
            Map<Kind, EventStream<? extends MessageOrBuilder>> open = new EnumMap<>(Kind.class);
            if (shown.has(Kind.OOM)) {
                kills.connect();
                open.put(Kind.OOM, kills);
            }
            if (shown.has(Kind.EXIT) && connect(exits, shown)) {
                open.put(Kind.EXIT, exits);
            }
            try {
                EventPrinter printer = new EventPrinter(terminal, outputOptions.format(), kindOptions.isGiven());
                Streams.printAll(open.values(), terminal, printer::printAll);
            } catch (Failure | RuntimeException e) {
                sayTokens(open);
                throw e;
            }
            sayTokens(open);
        }
        return 0;
    }

    private WatchEventsRequest killRequest() {
        WatchEventsRequest.Builder request = WatchEventsRequest.newBuilder().setFilter(filterOptions.filter());
        from.map(EventFactory::timestamp).ifPresent(request::setFromTime);
        resumeTokens.flatMap(tokens -> tokens.of(Kind.OOM)).ifPresent(request::setResumeToken);
        return request.build();
    }

    private WatchExitsRequest exitRequest() {
        WatchExitsRequest.Builder request = WatchExitsRequest.newBuilder().setFilter(filterOptions.exitFilter());
        from.map(EventFactory::timestamp).ifPresent(request::setFromTime);
        resumeTokens.flatMap(tokens -> tokens.of(Kind.EXIT)).ifPresent(request::setResumeToken);
        return request.build();
    }

    /** Connects, and returns whether the aggregator knows ends at all. */
    private boolean connect(EventStream<ExitEvent> exits, EventKinds shown) throws Failure, InterruptedException {
        try {
            exits.connect();
            return true;
        } catch (Failure e) {
            if (!shown.has(Kind.OOM) || !AggregatorClient.hasStatus(e, Status.Code.UNIMPLEMENTED)) {
                throw e;
            }
            terminal.say(
                    "this aggregator is older and knows no ends of containers and services: only OOM kills follow");
            return false;
        }
    }

    private void sayTokens(Map<Kind, EventStream<? extends MessageOrBuilder>> open) {
        Map<Kind, String> tokens = new EnumMap<>(Kind.class);
        open.forEach((kind, stream) -> {
            if (!stream.resumeToken().isEmpty()) {
                tokens.put(kind, stream.resumeToken());
            }
        });
        if (!tokens.isEmpty()) {
            terminal.say("to go on from here: --resume-token " + ResumeTokens.text(tokens));
        }
    }
}
