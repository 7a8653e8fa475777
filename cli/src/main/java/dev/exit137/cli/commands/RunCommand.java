package dev.exit137.cli.commands;

import dev.exit137.agent.AgentConfig;
import dev.exit137.agent.delivery.EventSink;
import dev.exit137.aggregator.AggregatorConfig;
import dev.exit137.aggregator.access.AccessConfig;
import dev.exit137.cli.client.EventStream;
import dev.exit137.cli.client.HostPort;
import dev.exit137.cli.options.AgentOptions;
import dev.exit137.cli.options.AggregatorOptions;
import dev.exit137.cli.options.EventKinds;
import dev.exit137.cli.options.HttpOptions;
import dev.exit137.cli.options.KindOptions;
import dev.exit137.cli.options.OutputOptions;
import dev.exit137.cli.render.EventPrinter;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.tls.ClientSecurity;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Runs agent and aggregator on one machine until Ctrl-C. */
@Command(
        name = "run",
        description = "Runs agent and aggregator in one process, and prints the events of this machine: OOM "
                + "kills, and ends of containers and services.")
public final class RunCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Mixin
    private AggregatorOptions aggregatorOptions;

    @Mixin
    private AgentOptions agentOptions;

    @Mixin
    private HttpOptions httpOptions = new HttpOptions(9139);

    @Mixin
    private KindOptions kindOptions;

    @Mixin
    private OutputOptions outputOptions;

    public RunCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws Exception {
        terminal.stop().listen();
        // Every setting is checked before a port is taken or a store made.
        AggregatorConfig aggregator = aggregatorOptions.config(terminal, AccessConfig.OPEN);
        AgentConfig agent = agentOptions.config(
                terminal,
                List.of(new HostPort(aggregator.listenHost(), aggregator.listenPort())),
                ClientSecurity.PLAINTEXT);
        Guard guard = new Guard();
        EventKinds kinds = kindOptions.shown(outputOptions.format(), false);
        try (HttpSide http = HttpSide.open(httpOptions);
                EventSink events = agentOptions.eventSink(terminal, guard);
                LocalNode node = LocalNode.start(terminal, aggregator, agent, events, guard, kinds)) {
            terminal.say("watching this machine; each event is printed here as it comes (Ctrl-C ends)");
            terminal.say("in another terminal: bin/exit137 watch --server " + node.address());
            terminal.say("or: grpcurl -plaintext " + node.address() + " exit137.v1.OomEvents/WatchEvents");
            http.serve(terminal::say, guard, node.agent(), node.aggregator);
            if (agentOptions.logsEvents()) {
                // stdout is the agent's.
                node.streams().forEach(EventStream::close);
                terminal.stop().await();
            } else {
                EventPrinter printer = new EventPrinter(terminal, outputOptions.format(), kindOptions.isGiven());
                Streams.printAll(node.streams(), terminal, stream -> printer.printAll(stream, guard));
            }
        }
        return 0;
    }
}
