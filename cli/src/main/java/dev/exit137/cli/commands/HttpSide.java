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
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The optional HTTP server of this process, with its probes and metrics. */
final class HttpSide implements AutoCloseable {
    private final @Nullable HttpEndpoint endpoint;
    private final String problem;

    private HttpSide(@Nullable HttpEndpoint endpoint, String problem) {
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
            return new HttpSide(options.bind().orElse(null), "");
        } catch (IOException e) {
            if (options.isGiven()) {
                throw e;
            }
            return new HttpSide(null, Objects.requireNonNullElse(e.getMessage(), e.toString()));
        }
    }

    /** Starts to serve the state of these daemons, and logs the address. */
    void serve(Consumer<String> log, Guard guard, Observed... parts) {
        if (!problem.isEmpty()) {
            log.accept(problem + "; going on without /livez, /readyz and /metrics");
        }
        if (endpoint != null) {
            endpoint.serve(new Pages(guard, parts), guard);
            InetSocketAddress address = endpoint.address();
            HostPort where = new HostPort(address.getAddress().getHostAddress(), address.getPort());
            log.accept("http://" + where + " has /livez, /readyz and /metrics");
        }
    }

    @Override
    public void close() {
        if (endpoint != null) {
            endpoint.close();
        }
    }
}
