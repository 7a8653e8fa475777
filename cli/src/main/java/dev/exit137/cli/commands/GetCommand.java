package dev.exit137.cli.commands;

import dev.exit137.cli.client.AggregatorClient;
import dev.exit137.cli.options.OutputOptions;
import dev.exit137.cli.options.ServerOptions;
import dev.exit137.cli.render.EventDetails;
import dev.exit137.cli.render.JsonLines;
import dev.exit137.cli.render.OutputFormat;
import dev.exit137.cli.render.report.ExitText;
import dev.exit137.cli.render.report.IncidentText;
import dev.exit137.cli.terminal.Failure;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.GetEventRequest;
import dev.exit137.proto.v1.OomKillEvent;
import io.grpc.Status;
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
        description =
                "Shows one event in detail: an OOM kill with its reason, advice and the use of memory, or the end of a "
                        + "container or service with its cause and sender. -o json shows every field.")
public final class GetCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Parameters(paramLabel = "ID", description = "Id of the event: the last column of list, or eventId in JSON.")
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
            for (String line : lines(client, request)) {
                terminal.print(line);
            }
        }
        return 0;
    }

    private List<String> lines(AggregatorClient client, GetEventRequest request) throws Failure {
        boolean json = outputOptions.format() == OutputFormat.JSON;
        try {
            OomKillEvent event = client.ask(stub -> stub.getEvent(request));
            return json ? List.of(JsonLines.line(event)) : page(event);
        } catch (Failure noKill) {
            if (!AggregatorClient.hasStatus(noKill, Status.Code.NOT_FOUND)) {
                throw noKill;
            }
            ExitEvent exit = exit(client, request, noKill);
            return json ? List.of(JsonLines.line(exit)) : ExitText.page(exit, null, terminal.zone());
        }
    }

    /** The end with the id of the request; no kill has it. */
    private static ExitEvent exit(AggregatorClient client, GetEventRequest request, Failure noKill) throws Failure {
        try {
            return client.askExits(stub -> stub.getExit(request));
        } catch (Failure noExit) {
            // An older aggregator knows no ends: the kill's answer says all.
            throw AggregatorClient.hasStatus(noExit, Status.Code.UNIMPLEMENTED) ? noKill : noExit;
        }
    }

    private List<String> page(OomKillEvent event) {
        List<String> lines = new ArrayList<>(EventDetails.of(event, terminal.zone()));
        lines.addAll(IncidentText.memory(event));
        return lines;
    }
}
