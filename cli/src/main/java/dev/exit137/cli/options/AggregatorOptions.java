package dev.exit137.cli.options;

import dev.exit137.aggregator.AggregatorConfig;
import dev.exit137.aggregator.access.AccessConfig;
import dev.exit137.aggregator.limits.PeerLimits;
import dev.exit137.aggregator.store.Retention;
import dev.exit137.cli.client.HostPort;
import dev.exit137.cli.terminal.Terminal;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Settings of an aggregator. */
public final class AggregatorOptions {
    private static final String OFF = "off";

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    @Option(
            names = "--listen",
            paramLabel = "HOST:PORT",
            converter = HostPort.ToListen.class,
            defaultValue = AggregatorConfig.DEFAULT_LISTEN_HOST + ":" + AggregatorConfig.DEFAULT_LISTEN_PORT,
            description = "Address of the gRPC server; port 0 takes a free port (default: ${DEFAULT-VALUE}).")
    private HostPort listen;

    @Option(
            names = "--data-dir",
            paramLabel = "DIR",
            description = "Directory of the event store (default: /var/lib/exit137/aggregator).")
    private Optional<Path> dataDir;

    @Option(
            names = "--retention",
            paramLabel = "DURATION",
            converter = ToAge.class,
            defaultValue = "30d",
            description = "Time from storing an event to its removal, 1s or more; off for any age "
                    + "(default: ${DEFAULT-VALUE}).")
    private Duration retention;

    @Option(
            names = "--max-store-bytes",
            paramLabel = "SIZE",
            converter = ToSize.class,
            defaultValue = "1GiB",
            description =
                    "Largest size of the store, 8MiB or more; a larger store removes its oldest events. off allows "
                            + "any size (default: ${DEFAULT-VALUE}).")
    private long maxStoreBytes;

    @Option(
            names = "--node-retention",
            paramLabel = "DURATION",
            converter = ToAge.class,
            defaultValue = "7d",
            description = "Time from the last message of a node until it is no longer listed, 1m or more; off lists it "
                    + "forever. Its events stay (default: ${DEFAULT-VALUE}).")
    private Duration nodeRetention;

    @Option(
            names = "--sender-retention",
            paramLabel = "DURATION",
            converter = ToSenderAge.class,
            defaultValue = "30d",
            description =
                    "Time from storing an event to the removal of what it tells about the person who sent a signal: user, "
                            + "terminal, command line, parents; 1s or more. 0 never stores it; off keeps it as long as "
                            + "the event (default: ${DEFAULT-VALUE}).")
    private Duration senderRetention;

    @Option(
            names = "--peer-max-streams",
            paramLabel = "N",
            defaultValue = "256",
            description =
                    "Number of watches that one peer may have open, and of streams of its agents; 0 for any number "
                            + "(default: ${DEFAULT-VALUE}).")
    private int peerMaxStreams;

    @Option(
            names = "--peer-max-requests-per-second",
            paramLabel = "N",
            defaultValue = "100",
            description = "Calls per second that one peer may make, in bursts of up to 10 s' worth; 0 for any number "
                    + "(default: ${DEFAULT-VALUE}).")
    private int peerMaxRequestsPerSecond;

    @Option(
            names = "--peer-max-events-per-second",
            paramLabel = "N",
            defaultValue = "1000",
            description =
                    "Events per second that one peer may send, in bursts of up to 60 s' worth. A large event counts as "
                            + "several; 0 for any number (default: ${DEFAULT-VALUE}).")
    private int peerMaxEventsPerSecond;

    @Option(
            names = "--plaintext",
            description = "Serve without TLS, even on a network where others can read the " + "traffic.")
    private boolean plaintext;

    /**
     * These flags as the aggregator's configuration. Prints a message if the default directory is not the one in --help.
     *
     * @throws ParameterException a setting breaks a rule
     */
    public AggregatorConfig config(Terminal terminal, AccessConfig access) {
        checkPlaintext(access);
        Path directory = dataDir.orElseGet(() -> {
            Path fallback = StateDirectory.byDefault(terminal.environment()).resolve("aggregator");
            if (!fallback.equals(AggregatorConfig.DEFAULT_DATA_DIR)) {
                terminal.say("not root, so events are stored in " + fallback + " (--data-dir)");
            }
            return fallback;
        });
        try {
            return new AggregatorConfig(
                    listen.host(),
                    listen.port(),
                    directory,
                    new Retention(retention, maxStoreBytes, nodeRetention, senderRetention),
                    new PeerLimits(peerMaxStreams, peerMaxRequestsPerSecond, peerMaxEventsPerSecond),
                    access);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(command.commandLine(), e.getMessage(), e);
        }
    }

    private void checkPlaintext(AccessConfig access) {
        String broken = null;
        if (access.certificate() != null) {
            broken = plaintext ? "--plaintext and --tls-cert exclude each other: give one" : null;
        } else if (!listen.isLoopback()) {
            if (access.tokens() != null) {
                broken = "tokens must not be read by others on their way to " + listen
                        + ": give --tls-cert and --tls-key, too";
            } else if (!plaintext) {
                broken = "others can reach " + listen
                        + ", and listen in: give --plaintext for that, or let 'exit137 aggregator'"
                        + " serve by TLS with --tls-cert and --tls-key";
            }
        }
        if (broken != null) {
            throw new ParameterException(command.commandLine(), broken);
        }
    }

    /** A duration, or off. */
    static final class ToAge implements ITypeConverter<Duration> {
        @Override
        public Duration convert(String text) {
            return text.equals(OFF) ? Retention.ANY_AGE : Times.duration(text);
        }
    }

    /** A duration, off, or 0. */
    static final class ToSenderAge implements ITypeConverter<Duration> {
        @Override
        public Duration convert(String text) {
            return text.equals("0") ? Duration.ZERO : new ToAge().convert(text);
        }
    }

    /** A number of bytes, or off. */
    static final class ToSize implements ITypeConverter<Long> {
        @Override
        public Long convert(String text) {
            return text.equals(OFF) ? Retention.ANY_SIZE : SizeOption.bytes(text);
        }
    }
}
