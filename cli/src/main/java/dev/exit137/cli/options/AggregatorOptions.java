package dev.exit137.cli.options;

import dev.exit137.aggregator.AggregatorConfig;
import dev.exit137.cli.terminal.Terminal;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Settings of an aggregator. */
public final class AggregatorOptions {
  @Option(
      names = "--listen",
      paramLabel = "HOST:PORT",
      converter = HostPort.ToListen.class,
      defaultValue = AggregatorConfig.DEFAULT_LISTEN_HOST + ":" + AggregatorConfig.DEFAULT_LISTEN_PORT,
      description = "Where to serve gRPC; port 0 takes a free one (default: ${DEFAULT-VALUE}).")
  private HostPort listen;

  @Option(
      names = "--data-dir",
      paramLabel = "DIR",
      description = "Where the events are stored (default: /var/lib/exit137/aggregator).")
  private Optional<Path> dataDir;

  /** As the aggregator takes it; says so where the default directory is not the one that --help names. */
  public AggregatorConfig config(Terminal terminal) {
    Path directory = dataDir.orElseGet(() -> {
      Path fallback = StateDirectory.byDefault(terminal.environment()).resolve("aggregator");
      if (!fallback.equals(AggregatorConfig.DEFAULT_DATA_DIR)) {
        terminal.say("not root, so events are stored in " + fallback + " (--data-dir)");
      }
      return fallback;
    });
    return new AggregatorConfig(listen.host(), listen.port(), directory);
  }
}
