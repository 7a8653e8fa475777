package dev.exit137.cli.commands;

import dev.exit137.cli.client.AggregatorClient;
import dev.exit137.cli.options.FilterOptions;
import dev.exit137.cli.options.OutputOptions;
import dev.exit137.cli.options.ServerOptions;
import dev.exit137.cli.options.SummaryKeys;
import dev.exit137.cli.render.JsonLines;
import dev.exit137.cli.render.OutputFormat;
import dev.exit137.cli.render.SummaryTable;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.proto.v1.SummarizeEventsRequest;
import dev.exit137.proto.v1.SummarizeEventsResponse;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Counts stored events. */
@Command(name = "summary", description = "Counts the kills that an aggregator has stored, in groups and over time.")
public final class SummaryCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Spec
    private CommandSpec command;

    @Mixin
    private ServerOptions serverOptions;

    @Option(
            names = "--by",
            paramLabel = "KEY",
            converter = SummaryKeys.Converter.class,
            defaultValue = "namespace,container",
            description = "Keys of the groups, separated by commas: " + SummaryKeys.NAMES
                    + "; none for one count of all (default: ${DEFAULT-VALUE}).")
    private SummaryKeys keys;

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
        SummarizeEventsRequest request = request();
        try (AggregatorClient client = serverOptions.client(terminal.clock())) {
            SummarizeEventsResponse summary = client.ask(stub -> stub.summarizeEvents(request));
            if (outputOptions.format() == OutputFormat.JSON) {
                terminal.print(JsonLines.line(summary));
            } else if (summary.getTotal().getCounts().getEvents() == 0) {
                terminal.say("no events match");
            } else {
                for (String line : SummaryTable.of(request, summary, terminal.zone())) {
                    terminal.print(line);
                }
            }
        }
        return 0;
    }

    private SummarizeEventsRequest request() {
        if (limit < 1 || limit > 1000) {
            throw new ParameterException(command.commandLine(), "--limit must be 1 to 1000, and is " + limit);
        }
        SummarizeEventsRequest.Builder request = SummarizeEventsRequest.newBuilder()
                .setFilter(filterOptions.filter())
                .addAllBy(keys.dimensions())
                .addAllByLabels(keys.labels())
                .setMaxGroups(limit);
        bucket.ifPresent(length -> {
            if (length.toSeconds() < 1) {
                throw new ParameterException(command.commandLine(), "--bucket must be 1s or more");
            }
            request.getBucketBuilder().setSeconds(length.toSeconds()).setNanos(length.toNanosPart());
        });
        return request.build();
    }
}
