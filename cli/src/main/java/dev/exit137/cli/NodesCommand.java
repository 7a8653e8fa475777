package dev.exit137.cli;

import dev.exit137.cli.client.AggregatorClient;
import dev.exit137.cli.options.OutputOptions;
import dev.exit137.cli.options.ServerOptions;
import dev.exit137.cli.output.JsonLines;
import dev.exit137.cli.output.NodeTable;
import dev.exit137.cli.output.OutputFormat;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.proto.v1.ListNodesRequest;
import dev.exit137.proto.v1.NodeState;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** All agents. */
@Command(name = "nodes", description = "Lists the agents that were heard of lately, and what each has lost.")
final class NodesCommand implements Callable<Integer> {
  private final Terminal terminal;

  @Mixin
  private ServerOptions serverOptions;

  @Mixin
  private OutputOptions outputOptions;

  NodesCommand(Terminal terminal) {
    this.terminal = terminal;
  }

  @Override
  public Integer call() throws Exception {
    try (AggregatorClient client = serverOptions.client()) {
      List<NodeState> nodes =
          client.ask(stub -> stub.listNodes(ListNodesRequest.getDefaultInstance())).getNodesList();
      if (nodes.isEmpty()) {
        terminal.say("no agent has reported yet");
        return 0;
      }
      List<String> lines = outputOptions.format() == OutputFormat.JSON
          ? nodes.stream().map(JsonLines::line).toList()
          : NodeTable.of(nodes, terminal.clock().instant());
      for (String line : lines) {
        terminal.print(line);
      }
    }
    return 0;
  }
}
