package dev.exit137.nativetest;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.exit137.cli.client.AggregatorClient;
import dev.exit137.cli.client.HostPort;
import dev.exit137.cli.render.JsonLines;
import dev.exit137.cli.terminal.Failure;
import dev.exit137.daemon.tls.ClientSecurity;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.KillBalance;
import dev.exit137.proto.v1.ListEventsRequest;
import dev.exit137.proto.v1.ListNodesRequest;
import dev.exit137.proto.v1.NodeState;
import dev.exit137.proto.v1.OomKillEvent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.stream.Collectors;

/**
 * A program of the test node: five times a second it writes the state of the agent and the aggregator. The node has one
 * processor, and the start of a JVM keeps it busy for seconds: so one JVM runs for all looks.
 */
final class NodesFile {
    private static final long PERIOD_MILLIS = 200;

    private NodesFile() {}

    /**
     * Runs until it is killed.
     *
     * @param args the aggregator's HOST:PORT; a file for the output of {@code exit137 nodes -o json}; and one for the
     *     kernel's count of kills, once the agent has reported them all and has every acknowledgement, with the start of
     *     the store's newest event as JSON. A reader sees each file complete, in its present or its former content
     */
    public static void main(String[] args) throws Exception {
        try (AggregatorClient client = new AggregatorClient(HostPort.parse(args[0]), ClientSecurity.PLAINTEXT)) {
            while (true) {
                try {
                    List<NodeState> nodes = client.ask(stub -> stub.listNodes(ListNodesRequest.getDefaultInstance()))
                            .getNodesList();
                    List<OomKillEvent> newest = client.ask(stub -> stub.listEvents(ListEventsRequest.newBuilder()
                                    .setPageSize(1)
                                    .build()))
                            .getEventsList();
                    write(Path.of(args[1]), nodes.stream().map(JsonLines::line).collect(Collectors.joining("\n")));
                    write(
                            Path.of(args[2]),
                            nodes.size() == 1 ? settled(nodes.getFirst().getStatus(), newest) : "");
                } catch (Failure e) {
                    System.err.println("no news of the nodes: " + e.getMessage());
                }
                Thread.sleep(PERIOD_MILLIS);
            }
        }
    }

    /** Empty while more is to come. */
    private static String settled(AgentStatus status, List<OomKillEvent> newest) {
        KillBalance balance = status.getBalance();
        long told = balance.getBeforeFirstRecord() + balance.getKills() + balance.getRepeatedKillRecords();
        if (told != balance.getVmstatOomKill()
                || balance.getUnaccounted() != 0
                || status.getUnacknowledgedEvents() > 0) {
            return "";
        }
        return balance.getVmstatOomKill()
                + newest.stream()
                        .map(event -> " {\"eventId\":\"" + event.getEventId() + "\",\"revision\":" + event.getRevision()
                                + ",")
                        .collect(Collectors.joining());
    }

    private static void write(Path file, String text) throws IOException {
        Path next = Path.of(file + ".next");
        Files.writeString(next, text + "\n", UTF_8);
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
    }
}
