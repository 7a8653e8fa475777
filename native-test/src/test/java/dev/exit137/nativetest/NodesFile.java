package dev.exit137.nativetest;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.exit137.cli.client.AggregatorClient;
import dev.exit137.cli.options.HostPort;
import dev.exit137.cli.output.JsonLines;
import dev.exit137.cli.terminal.Failure;
import dev.exit137.proto.security.ClientSecurity;
import dev.exit137.proto.v1.ListNodesRequest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.stream.Collectors;

/**
 * A program of the test node: keeps a file at what {@code exit137 nodes -o json} would print, five times a second. There
 * is one processor, which starting a JVM keeps busy for seconds: one is started, not one for each look.
 */
final class NodesFile {
  private static final long PERIOD_MILLIS = 200;

  private NodesFile() {}

  /** @param args the aggregator's HOST:PORT, and the file; a reader sees it whole or as it was before */
  public static void main(String[] args) throws Exception {
    Path file = Path.of(args[1]);
    Path next = Path.of(args[1] + ".next");
    try (AggregatorClient client = new AggregatorClient(HostPort.parse(args[0]), ClientSecurity.PLAINTEXT)) {
      while (true) {
        try {
          String nodes =
              client.ask(stub -> stub.listNodes(ListNodesRequest.getDefaultInstance())).getNodesList().stream()
                  .map(JsonLines::line)
                  .collect(Collectors.joining("\n", "", "\n"));
          Files.writeString(next, nodes, UTF_8);
          Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (Failure e) {
          System.err.println("no news of the nodes: " + e.getMessage());
        }
        Thread.sleep(PERIOD_MILLIS);
      }
    }
  }
}
