package dev.exit137.cli.options;

import dev.exit137.cli.client.HostPort;
import dev.exit137.daemon.http.HttpEndpoint;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;

/** The address at which a daemon serves its probes and metrics. */
public final class HttpOptions {
    private static final String OFF = "off";

    private final HostPort usual;

    @Option(
            names = "--http-listen",
            paramLabel = "HOST:PORT",
            converter = ToListenOrOff.class,
            description =
                    "Address for /livez, /readyz and /metrics; off or an empty value for no HTTP server (default: "
                            + "127.0.0.1:9138 for an agent, 127.0.0.1:9139 otherwise, and no HTTP server if that port is in use).")
    private Listen listen;

    /** @param port the default port, on the loopback */
    public HttpOptions(int port) {
        usual = new HostPort("127.0.0.1", port);
    }

    /** Whether the flag or its variable is set. */
    public boolean isGiven() {
        return listen != null;
    }

    /**
     * Listens.
     *
     * @return empty for no HTTP server
     * @throws IOException the address cannot be listened on; the message is for the user
     */
    public Optional<HttpEndpoint> bind() throws IOException {
        HostPort address = isGiven() ? listen.address() : usual;
        if (address == null) {
            return Optional.empty();
        }
        String where = "cannot listen on " + address + " for HTTP: ";
        InetSocketAddress resolved = new InetSocketAddress(address.host(), address.port());
        if (resolved.isUnresolved()) {
            throw new IOException(
                    where + "the host is not known; give one of this machine with --http-listen HOST:PORT");
        }
        try {
            return Optional.of(HttpEndpoint.bind(resolved));
        } catch (IOException e) {
            throw new IOException(
                    where + e.getMessage()
                            + "; stop what uses it, or give another with --http-listen HOST:PORT, or off",
                    e);
        }
    }

    /** The address to listen on; null for no HTTP server. */
    record Listen(@Nullable HostPort address) {}

    /** Converts the option's text. */
    static final class ToListenOrOff implements ITypeConverter<Listen> {
        @Override
        public Listen convert(String text) {
            return new Listen(text.isEmpty() || text.equals(OFF) ? null : new HostPort.ToListen().convert(text));
        }
    }
}
