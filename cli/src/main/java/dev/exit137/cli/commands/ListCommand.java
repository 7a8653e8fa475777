package dev.exit137.cli.commands;

import dev.exit137.cli.client.AggregatorClient;
import dev.exit137.cli.client.EventPages;
import dev.exit137.cli.options.FilterOptions;
import dev.exit137.cli.options.OutputOptions;
import dev.exit137.cli.options.ServerOptions;
import dev.exit137.cli.render.EventPrinter;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.proto.v1.EventFilter;
import dev.exit137.proto.v1.ListEventsRequest;
import dev.exit137.proto.v1.ListEventsResponse;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Lists stored events, newest first. */
@Command(name = "list", description = "Lists the events that an aggregator has stored, newest first.")
public final class ListCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Spec
    private CommandSpec command;

    @Mixin
    private ServerOptions serverOptions;

    @Option(
            names = "--limit",
            paramLabel = "N",
            defaultValue = "100",
            description = "Largest number of events, 1 or more (default: ${DEFAULT-VALUE}).")
    private int limit;

    @Mixin
    private FilterOptions filterOptions;

    @Mixin
    private OutputOptions outputOptions;

    public ListCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws Exception {
        if (limit < 1) {
            throw new ParameterException(command.commandLine(), "--limit must be 1 or more, and is " + limit);
        }
        EventFilter filter = filterOptions.filter();
        EventPrinter printer = new EventPrinter(terminal, outputOptions.format());
        try (AggregatorClient client = serverOptions.client(terminal.clock())) {
            EventPages.Read read = EventPages.read(
                    limit,
                    (size, token) -> {
                        ListEventsRequest request = ListEventsRequest.newBuilder()
                                .setFilter(filter)
                                .setPageSize(size)
                                .setPageToken(token)
                                .build();
                        ListEventsResponse page = client.ask(stub -> stub.listEvents(request));
                        return new EventPages.Page<>(page.getEventsList(), page.getNextPageToken());
                    },
                    printer::printRow);
            if (read.events() == 0) {
                terminal.say("no events match");
            } else if (read.more()) {
                terminal.say("there are more; --limit " + limit + " was reached");
            }
        }
        return 0;
    }
}
