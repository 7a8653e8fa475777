package dev.exit137.cli.commands;

import dev.exit137.cli.client.AggregatorClient;
import dev.exit137.cli.options.OutputOptions;
import dev.exit137.cli.options.ServerOptions;
import dev.exit137.cli.render.EventDetails;
import dev.exit137.cli.render.JsonLines;
import dev.exit137.cli.render.OutputFormat;
import dev.exit137.cli.render.report.IncidentText;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.proto.v1.GetEventRequest;
import dev.exit137.proto.v1.OomKillEvent;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Shows one event. */
@Command(
        name = "get",
        description = "Shows one event in detail: the kill, its reason, advice, and the use of memory. -o json shows "
                + "every field.")
public final class GetCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Parameters(
            paramLabel = "ID",
            description = "Id of the event: the last column of list and watch, or eventId in " + "JSON.")
    private String id;

    @Option(
            names = "--node",
            paramLabel = "NAME",
            defaultValue = "",
            description = "Node of the event; needed only if several nodes share a kernel.")
    private String node;

    @Mixin
    private ServerOptions serverOptions;

    @Mixin
    private OutputOptions outputOptions;

    public GetCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws Exception {
        GetEventRequest request =
                GetEventRequest.newBuilder().setEventId(id).setNode(node).build();
        try (AggregatorClient client = serverOptions.client(terminal.clock())) {
            OomKillEvent event = client.ask(stub -> stub.getEvent(request));
            List<String> lines =
                    outputOptions.format() == OutputFormat.JSON ? List.of(JsonLines.line(event)) : page(event);
            for (String line : lines) {
                terminal.print(line);
            }
        }
        return 0;
    }

    private List<String> page(OomKillEvent event) {
        List<String> lines = new ArrayList<>(EventDetails.of(event, terminal.zone()));
        lines.addAll(IncidentText.memory(event));
        return lines;
    }
}
