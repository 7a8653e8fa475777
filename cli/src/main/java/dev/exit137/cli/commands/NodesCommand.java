package dev.exit137.cli.commands;

import dev.exit137.cli.client.AggregatorClient;
import dev.exit137.cli.options.OutputOptions;
import dev.exit137.cli.options.ServerOptions;
import dev.exit137.cli.render.JsonLines;
import dev.exit137.cli.render.NodeTable;
import dev.exit137.cli.render.OutputFormat;
import dev.exit137.cli.terminal.OutputClosedException;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.proto.v1.ListNodesRequest;
import dev.exit137.proto.v1.ListNodesResponse;
import dev.exit137.proto.v1.NodeState;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Lists all agents. */
@Command(name = "nodes", description = "Lists the agents with a recent report, the state of each, and its losses.")
public final class NodesCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Mixin
    private ServerOptions serverOptions;

    @Mixin
    private OutputOptions outputOptions;

    public NodesCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws Exception {
        try (AggregatorClient client = serverOptions.client(terminal.clock())) {
            List<NodeState> nodes = new ArrayList<>();
            ListNodesResponse page = ListNodesResponse.getDefaultInstance();
            do {
                ListNodesRequest next = ListNodesRequest.newBuilder()
                        .setPageToken(page.getNextPageToken())
                        .build();
                page = client.ask(stub -> stub.listNodes(next));
                nodes.addAll(page.getNodesList());
            } while (!page.getNextPageToken().isEmpty());
            print(nodes);
            List<String> errors = NodeTable.internalErrors(page.getInternalErrorsMap());
            if (!errors.isEmpty()) {
                terminal.say("the aggregator itself: " + String.join("; ", errors) + "; see its log");
            }
        }
        return 0;
    }

    private void print(List<NodeState> nodes) throws OutputClosedException {
        if (nodes.isEmpty()) {
            terminal.say("no agent has reported yet");
            return;
        }
        List<String> lines = outputOptions.format() == OutputFormat.JSON
                ? nodes.stream().map(JsonLines::line).toList()
                : NodeTable.of(nodes, terminal.clock().instant());
        for (String line : lines) {
            terminal.print(line);
        }
    }
}
