package dev.exit137.cli.commands;

import dev.exit137.cli.client.AggregatorClient;
import dev.exit137.cli.client.EventPages;
import dev.exit137.cli.options.ExitFilterOptions;
import dev.exit137.cli.options.OutputOptions;
import dev.exit137.cli.options.ServerOptions;
import dev.exit137.cli.render.EventPrinter;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.proto.v1.ExitFilter;
import dev.exit137.proto.v1.ListExitsRequest;
import dev.exit137.proto.v1.ListExitsResponse;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Lists stored ends of containers and services, newest first. */
@Command(
        name = "exits",
        description =
                "Lists the ends of containers and services that an aggregator has stored, newest first: exit code "
                        + "and cause. 'exit137 why NAME' shows more of one.")
public final class ExitsCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Spec
    private CommandSpec command;

    @Mixin
    private ServerOptions serverOptions;

    @Option(
            names = "--limit",
            paramLabel = "N",
            defaultValue = "100",
            description = "Largest number of ends, 1 or more (default: ${DEFAULT-VALUE}).")
    private int limit;

    @Mixin
    private ExitFilterOptions filterOptions;

    @Mixin
    private OutputOptions outputOptions;

    public ExitsCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws Exception {
        if (limit < 1) {
            throw new ParameterException(command.commandLine(), "--limit must be 1 or more, and is " + limit);
        }
        ExitFilter filter = filterOptions.filter();
        EventPrinter printer = new EventPrinter(terminal, outputOptions.format());
        try (AggregatorClient client = serverOptions.client(terminal.clock())) {
            EventPages.Read read = EventPages.read(
                    limit,
                    (size, token) -> {
                        ListExitsRequest request = ListExitsRequest.newBuilder()
                                .setFilter(filter)
                                .setPageSize(size)
                                .setPageToken(token)
                                .build();
                        ListExitsResponse page = client.askExits(stub -> stub.listExits(request));
                        return new EventPages.Page<>(page.getExitsList(), page.getNextPageToken());
                    },
                    printer::printRow);
            if (read.events() == 0) {
                terminal.say("no ends match");
            } else if (read.more()) {
                terminal.say("there are more; --limit " + limit + " was reached");
            }
        }
        return 0;
    }
}
