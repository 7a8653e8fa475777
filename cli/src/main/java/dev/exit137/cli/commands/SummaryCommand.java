package dev.exit137.cli.commands;

import dev.exit137.cli.client.AggregatorClient;
import dev.exit137.cli.options.EventKinds;
import dev.exit137.cli.options.EventKinds.Kind;
import dev.exit137.cli.options.FilterOptions;
import dev.exit137.cli.options.OutputOptions;
import dev.exit137.cli.options.ServerOptions;
import dev.exit137.cli.options.SummaryKeys;
import dev.exit137.cli.render.JsonLines;
import dev.exit137.cli.render.OutputFormat;
import dev.exit137.cli.render.SummaryTable;
import dev.exit137.cli.terminal.OutputClosedException;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.proto.v1.SummarizeEventsRequest;
import dev.exit137.proto.v1.SummarizeEventsResponse;
import dev.exit137.proto.v1.SummarizeExitsRequest;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Counts stored events. */
@Command(
        name = "summary",
        description =
                "Counts the OOM kills, or the ends of containers and services, that an aggregator has stored, in groups "
                        + "and over time.")
public final class SummaryCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Spec
    private CommandSpec command;

    @Mixin
    private ServerOptions serverOptions;

    @Option(
            names = "--kind",
            paramLabel = "oom|exit",
            converter = EventKinds.Converter.class,
            defaultValue = "oom",
            description = "What to count: OOM kills, or ends of containers and services (default: ${DEFAULT-VALUE}).")
    private EventKinds kinds;

    @Option(
            names = "--by",
            paramLabel = "KEY",
            converter = SummaryKeys.Converter.class,
            description = "Keys of the groups, separated by commas: " + SummaryKeys.NAMES
                    + "; none for one count of all (default: namespace,container; with --kind exit cause,code).")
    private Optional<SummaryKeys> keys;

    @Option(
            names = "--bucket",
            paramLabel = "DURATION",
            description =
                    "Count each group for each span of this length, 1s or more, such as 1h. Spans begin at multiples "
                            + "of the length in UTC.")
    private Optional<Duration> bucket;

    @Option(
            names = "--limit",
            paramLabel = "N",
            defaultValue = "100",
            description =
                    "Largest number of groups, 1 to 1000. The groups with the most kills are shown, the others are "
                            + "counted together (default: ${DEFAULT-VALUE}).")
    private int limit;

    @Mixin
    private FilterOptions filterOptions;

    @Mixin
    private OutputOptions outputOptions;

    public SummaryCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws Exception {
        checkFlags();
        try (AggregatorClient client = serverOptions.client(terminal.clock())) {
            if (kinds.has(Kind.EXIT)) {
                SummarizeExitsRequest request = ofExits();
                SummarizeEventsResponse summary = client.askExits(stub -> stub.summarizeExits(request));
                print(summary, () -> SummaryTable.of(request, summary, terminal.zone()));
            } else {
                SummarizeEventsRequest request = ofKills();
                SummarizeEventsResponse summary = client.ask(stub -> stub.summarizeEvents(request));
                print(summary, () -> SummaryTable.of(request, summary, terminal.zone()));
            }
        }
        return 0;
    }

    private void print(SummarizeEventsResponse summary, Supplier<List<String>> table) throws OutputClosedException {
        if (outputOptions.format() == OutputFormat.JSON) {
            terminal.print(JsonLines.line(summary));
        } else if (summary.getTotal().getCounts().getEvents() == 0) {
            terminal.say("no events match");
        } else {
            for (String line : table.get()) {
                terminal.print(line);
            }
        }
    }

    private void checkFlags() {
        check(limit >= 1 && limit <= 1000, "--limit must be 1 to 1000, and is " + limit);
        check(bucket.isEmpty() || bucket.get().toSeconds() >= 1, "--bucket must be 1s or more");
        check(kinds.kinds().size() == 1, "--kind must be one of oom and exit: a summary counts one kind");
        check(
                kinds.has(Kind.EXIT) || keys.stream().noneMatch(SummaryKeys::needsExits),
                "--by cause and --by code count ends: give --kind exit, too");
    }

    private void check(boolean rule, String message) {
        if (!rule) {
            throw new ParameterException(command.commandLine(), message);
        }
    }

    private SummarizeEventsRequest ofKills() {
        SummaryKeys by = keys.orElse(SummaryKeys.OF_KILLS);
        SummarizeEventsRequest.Builder request = SummarizeEventsRequest.newBuilder()
                .setFilter(filterOptions.filter())
                .addAllBy(by.dimensions())
                .addAllByLabels(by.labels())
                .setMaxGroups(limit);
        bucket.ifPresent(length -> request.setBucket(span(length)));
        return request.build();
    }

    private SummarizeExitsRequest ofExits() {
        SummaryKeys by = keys.orElse(SummaryKeys.OF_EXITS);
        SummarizeExitsRequest.Builder request = SummarizeExitsRequest.newBuilder()
                .setFilter(filterOptions.exitFilter())
                .addAllBy(by.dimensions())
                .addAllByLabels(by.labels())
                .setMaxGroups(limit);
        bucket.ifPresent(length -> request.setBucket(span(length)));
        return request.build();
    }

    private static com.google.protobuf.Duration span(Duration length) {
        return com.google.protobuf.Duration.newBuilder()
                .setSeconds(length.toSeconds())
                .setNanos(length.toNanosPart())
                .build();
    }
}
