package dev.exit137.cli.commands;

import dev.exit137.agent.Agent;
import dev.exit137.agent.AgentConfig;
import dev.exit137.agent.delivery.EventSink;
import dev.exit137.cli.client.HostPort;
import dev.exit137.cli.options.AgentOptions;
import dev.exit137.cli.options.ConnectionOptions;
import dev.exit137.cli.options.HttpOptions;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.daemon.guard.Guard;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Runs the agent until Ctrl-C. */
@Command(name = "agent", description = "Watches this node's kernel and sends every OOM kill to an aggregator.")
public final class AgentCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Mixin
    private AgentOptions options;

    @Option(
            names = "--aggregator",
            paramLabel = "HOST:PORT",
            split = ",",
            converter = HostPort.ToConnect.class,
            defaultValue = "127.0.0.1:9137",
            description = "Address of the aggregator. The agent tries several, separated by commas, in turn "
                    + "(default: ${DEFAULT-VALUE}).")
    private List<HostPort> aggregators;

    @Mixin
    private ConnectionOptions connectionOptions;

    @Mixin
    private HttpOptions httpOptions = new HttpOptions(9138);

    public AgentCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws Exception {
        terminal.stop().listen();
        AgentConfig config =
                options.config(terminal, aggregators, connectionOptions.security(aggregators, terminal.clock()));
        Guard guard = new Guard();
        try (HttpSide http = HttpSide.open(httpOptions);
                EventSink events = options.eventSink(terminal, guard);
                Agent agent = Agent.start(config, events, terminal.clock(), guard)) {
            terminal.log("agent watches node " + config.nodeName() + ", events go to "
                    + String.join(", ", config.aggregators()));
            http.serve(terminal::log, guard, agent);
            terminal.stop().await();
        }
        return 0;
    }
}
