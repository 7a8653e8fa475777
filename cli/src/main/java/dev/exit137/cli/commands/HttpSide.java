package dev.exit137.cli.commands;

import dev.exit137.cli.client.HostPort;
import dev.exit137.cli.options.HttpOptions;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.http.HttpEndpoint;
import dev.exit137.daemon.http.Observed;
import dev.exit137.daemon.http.Pages;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;

/** The optional HTTP server of this process, with its probes and metrics. */
final class HttpSide implements AutoCloseable {
  private final Optional<HttpEndpoint> endpoint;
  private final String problem;

  private HttpSide(Optional<HttpEndpoint> endpoint, String problem) {
    this.endpoint = endpoint;
    this.problem = problem;
  }

  /**
   * Listens before anything else starts. If no address was given and another program has the default port, the daemon
   * goes on without HTTP: its evidence matters more.
   *
   * @throws IOException the address that was given cannot be listened on
   */
  static HttpSide open(HttpOptions options) throws IOException {
    try {
      return new HttpSide(options.bind(), "");
    } catch (IOException e) {
      if (options.isGiven()) {
        throw e;
      }
      return new HttpSide(Optional.empty(), Objects.requireNonNullElse(e.getMessage(), e.toString()));
    }
  }

  /** Starts to serve the state of these daemons, and logs the address. */
  void serve(Consumer<String> log, Guard guard, Observed... parts) {
    if (!problem.isEmpty()) {
      log.accept(problem + "; going on without /livez, /readyz and /metrics");
    }
    endpoint.ifPresent(http -> {
      http.serve(new Pages(guard, parts), guard);
      InetSocketAddress address = http.address();
      HostPort where = new HostPort(address.getAddress().getHostAddress(), address.getPort());
      log.accept("http://" + where + " has /livez, /readyz and /metrics");
    });
  }

  @Override
  public void close() {
    endpoint.ifPresent(HttpEndpoint::close);
  }
}
