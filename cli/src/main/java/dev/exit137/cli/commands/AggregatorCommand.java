package dev.exit137.cli.commands;

import dev.exit137.aggregator.Aggregator;
import dev.exit137.aggregator.AggregatorConfig;
import dev.exit137.cli.client.HostPort;
import dev.exit137.cli.options.AccessOptions;
import dev.exit137.cli.options.AggregatorOptions;
import dev.exit137.cli.options.HttpOptions;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.daemon.guard.Guard;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Runs the aggregator until Ctrl-C. */
@Command(name = "aggregator", description = "Collects the events of all agents and serves them over gRPC.")
public final class AggregatorCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Mixin
    private AggregatorOptions options;

    @Mixin
    private AccessOptions accessOptions;

    @Mixin
    private HttpOptions httpOptions = new HttpOptions(9139);

    public AggregatorCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws Exception {
        terminal.stop().listen();
        AggregatorConfig config = options.config(terminal, accessOptions.config());
        Guard guard = new Guard();
        try (HttpSide http = HttpSide.open(httpOptions);
                Aggregator aggregator = Aggregator.start(config, terminal.clock(), guard)) {
            terminal.log("aggregator listens on " + new HostPort(config.listenHost(), aggregator.port())
                    + ", events are stored in " + config.dataDir());
            http.serve(terminal::log, guard, aggregator);
            terminal.stop().await();
        }
        return 0;
    }
}
