package dev.exit137.aggregator;

import dev.exit137.aggregator.access.AccessConfig;
import dev.exit137.aggregator.limits.PeerLimits;
import dev.exit137.aggregator.store.Retention;
import java.nio.file.Path;
import java.util.Objects;

/**
 * The settings of an aggregator.
 *
 * @param listenHost host name or address to listen on, never blank
 * @param listenPort TCP port, 0 to 65535; 0 takes a free one
 * @param dataDir directory of the store, created if missing; only one aggregator at a time may use it
 * @param retention how much the store keeps
 * @param peerLimits the limits of one peer
 * @param access who may publish and read, and how callers authenticate
 */
public record AggregatorConfig(
        String listenHost,
        int listenPort,
        Path dataDir,
        Retention retention,
        PeerLimits peerLimits,
        AccessConfig access) {
    /** Loopback: events name the workloads of the nodes, so the operator must choose to listen for others. */
    public static final String DEFAULT_LISTEN_HOST = "127.0.0.1";

    /** The gRPC port of the aggregator. */
    public static final int DEFAULT_LISTEN_PORT = 9137;

    /** The default directory of the events. */
    public static final Path DEFAULT_DATA_DIR = Path.of("/var/lib/exit137/aggregator");

    /** Applies the defaults to all optional settings. */
    public AggregatorConfig(String listenHost, int listenPort, Path dataDir) {
        this(listenHost, listenPort, dataDir, Retention.DEFAULT, PeerLimits.DEFAULT, AccessConfig.OPEN);
    }

    /**
     * Checks the settings.
     *
     * @throws IllegalArgumentException names the setting, its value and the rule
     */
    public AggregatorConfig {
        Objects.requireNonNull(listenHost, "listenHost");
        Objects.requireNonNull(dataDir, "dataDir");
        Objects.requireNonNull(retention, "retention");
        Objects.requireNonNull(peerLimits, "peerLimits");
        Objects.requireNonNull(access, "access");
        if (listenHost.isBlank()) {
            throw new IllegalArgumentException(
                    "the host to listen on is empty; give a name or an address, such as 127.0.0.1 or 0.0.0.0");
        }
        if (listenPort < 0 || listenPort > 65535) {
            throw new IllegalArgumentException(
                    "the port to listen on is " + listenPort + "; it must be 0 (any free one) to 65535");
        }
        if (dataDir.toString().isEmpty()) {
            throw new IllegalArgumentException("the data directory is empty; give a path, such as " + DEFAULT_DATA_DIR);
        }
    }
}
