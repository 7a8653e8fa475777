package dev.exit137.cli.client;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * The address of a server.
 *
 * @param host name or address, an IPv6 one without its brackets; not empty
 * @param port 0 to 65535; 0 lets the kernel choose, for listening only
 */
public record HostPort(String host, int port) {
    private static final int MAX_PORT = 65535;

    /**
     * The address that the text is: {@code host:port}, an IPv6 address in brackets.
     *
     * @throws IllegalArgumentException the text is not HOST:PORT; the message states the rule
     */
    public static HostPort parse(String text) {
        int colon = text.lastIndexOf(':');
        String host = colon < 0 ? "" : text.substring(0, colon);
        boolean bracketed = host.startsWith("[") && host.endsWith("]");
        if (bracketed) {
            host = host.substring(1, host.length() - 1);
        }
        if (host.isBlank() || (!bracketed && host.contains(":")) || host.contains("/")) {
            throw new IllegalArgumentException(
                    "'" + text + "' is not HOST:PORT, such as 127.0.0.1:9137, aggregator.example:9137 or [::1]:9137");
        }
        try {
            int port = Integer.parseInt(text.substring(colon + 1));
            if (port >= 0 && port <= MAX_PORT) {
                return new HostPort(host, port);
            }
        } catch (NumberFormatException e) {
            // The rule below says it.
        }
        throw new IllegalArgumentException("the port of '" + text + "' must be a number from 0 to " + MAX_PORT);
    }

    /** Whether it certainly is an address of this machine; a name is not looked up. */
    public boolean isLoopback() {
        return host.equals("localhost") || host.equals("::1") || host.matches("127(\\.\\d{1,3}){3}");
    }

    /** The form that {@link #parse} reads. */
    @Override
    public String toString() {
        return (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
    }

    /** Converts the text of an option with an address to listen on. */
    public static class ToListen implements ITypeConverter<HostPort> {
        @Override
        public HostPort convert(String text) {
            try {
                return parse(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }

    /** Converts the text of an option with an address to connect to. */
    public static final class ToConnect extends ToListen {
        @Override
        public HostPort convert(String text) {
            HostPort address = super.convert(text);
            if (address.port() == 0) {
                throw new TypeConversionException("the port of '" + text + "' must be a number from 1 to " + MAX_PORT);
            }
            return address;
        }
    }
}
