package dev.exit137.cli.options;

import picocli.CommandLine.Option;

/** Which aggregator a client command asks. */
public final class ServerOptions {
  @Option(
      names = "--server",
      paramLabel = "HOST:PORT",
      converter = HostPort.ToConnect.class,
      defaultValue = "127.0.0.1:9137",
      description = "The aggregator to ask (default: ${DEFAULT-VALUE}).")
  private HostPort server;

  /** Where it listens. */
  public HostPort server() {
    return server;
  }
}
