package dev.exit137.agent;

import dev.exit137.agent.container.LabelFilter;
import dev.exit137.agent.container.RuntimeSockets;
import dev.exit137.agent.delivery.spool.Spool;
import dev.exit137.agent.systemd.SystemdUnits;
import dev.exit137.agent.trace.SenderCommand;
import dev.exit137.daemon.tls.ClientSecurity;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * All settings of an agent; the constructor checks them.
 *
 * @param nodeName name of this node in every event; not blank
 * @param clusterName name of the cluster in every event; may be empty
 * @param stateDir directory of the checkpoint and the spool; created if it does not exist, must be writable
 * @param kmsgPath the kernel's log, normally {@code /dev/kmsg}
 * @param cgroupRoot mount point of the cgroup hierarchy that holds the memory controller; found in
 *     {@code <procRoot>/self/mountinfo} when null
 * @param procRoot the host's procfs, normally {@code /proc}
 * @param aggregators {@code HOST:PORT} of the aggregators, tried in turn; at least one
 * @param security of the connections: plaintext or TLS, with a certificate or a token
 * @param counterGrace how long a kill that a counter shows may wait for its kmsg record before it is reported without
 *     one; 10 ms to 60 s
 * @param runtimeSockets sockets of container runtimes
 * @param podLabels selects the labels of a pod that go into its events
 * @param identityTimeout how long an event waits for the runtime to name its container; it then goes out without a
 *     name, and again when the answer comes; 0 to 10 s
 * @param sampleInterval interval at which the memory of each cgroup with a limit is read, for kills without a report; 1
 *     s to 1 h, 0 for never
 * @param spoolBytes maximum size on the disk of the events that no aggregator has; the oldest are dropped first; at
 *     least 4 MiB
 * @param trace whether the kernel's trace of signals is read
 * @param senderCommand what is kept of the command line of a process that sends a signal
 * @param processExits whether an end of any process by SIGKILL is an event; needs {@code trace}
 * @param metricsMaxSeries maximum number of workloads with a series of their own, per metric; 1 or more
 * @param systemdBus path of the system bus' socket, {@code auto} or {@code off}
 * @param containerdLog path of containerd's log, {@code auto}, {@code journal} or {@code off}
 */
public record AgentConfig(
        String nodeName,
        String clusterName,
        Path stateDir,
        Path kmsgPath,
        @Nullable Path cgroupRoot,
        Path procRoot,
        List<String> aggregators,
        ClientSecurity security,
        Duration counterGrace,
        RuntimeSockets runtimeSockets,
        LabelFilter podLabels,
        Duration identityTimeout,
        Duration sampleInterval,
        long spoolBytes,
        boolean trace,
        SenderCommand senderCommand,
        boolean processExits,
        int metricsMaxSeries,
        String systemdBus,
        String containerdLog) {

    public static final Path DEFAULT_STATE_DIR = Path.of("/var/lib/exit137");
    public static final Path DEFAULT_KMSG_PATH = Path.of("/dev/kmsg");
    public static final Path DEFAULT_PROC_ROOT = Path.of("/proc");
    public static final Duration DEFAULT_COUNTER_GRACE = Duration.ofMillis(500);
    public static final Duration DEFAULT_IDENTITY_TIMEOUT = Duration.ofMillis(250);
    public static final Duration DEFAULT_SAMPLE_INTERVAL = Duration.ofSeconds(10);
    public static final long DEFAULT_SPOOL_BYTES = 64L << 20;
    public static final int DEFAULT_METRICS_MAX_SERIES = 1000;
    public static final String DEFAULT_SYSTEMD_BUS = SystemdUnits.AUTO;
    public static final String DEFAULT_CONTAINERD_LOG = "auto";

    private static final Duration MIN_GRACE = Duration.ofMillis(10);
    private static final Duration MAX_GRACE = Duration.ofSeconds(60);
    private static final Duration MAX_IDENTITY_TIMEOUT = Duration.ofSeconds(10);
    private static final Duration MIN_SAMPLE_INTERVAL = Duration.ofSeconds(1);
    private static final Duration MAX_SAMPLE_INTERVAL = Duration.ofHours(1);

    /** @throws IllegalArgumentException if a setting is invalid; the message names the setting, the rule and the value */
    public AgentConfig {
        if (nodeName.isBlank()) {
            throw new IllegalArgumentException("--node-name is empty: give this node a name that no other node has");
        }
        if (aggregators.isEmpty()) {
            throw new IllegalArgumentException("--aggregator is empty: give at least one HOST:PORT");
        }
        if (counterGrace.compareTo(MIN_GRACE) < 0 || counterGrace.compareTo(MAX_GRACE) > 0) {
            throw new IllegalArgumentException(
                    "--counter-grace must be between 10ms and 60s, and is " + counterGrace.toMillis() + "ms");
        }
        if (identityTimeout.isNegative() || identityTimeout.compareTo(MAX_IDENTITY_TIMEOUT) > 0) {
            throw new IllegalArgumentException(
                    "--identity-timeout must be between 0 and 10s, and is " + identityTimeout.toMillis() + "ms");
        }
        if (!sampleInterval.isZero()
                && (sampleInterval.compareTo(MIN_SAMPLE_INTERVAL) < 0
                        || sampleInterval.compareTo(MAX_SAMPLE_INTERVAL) > 0)) {
            throw new IllegalArgumentException("--sample-interval must be between 1s and 1h, or 0ms for never, and is "
                    + sampleInterval.toMillis() + "ms");
        }
        if (spoolBytes < Spool.MIN_BYTES) {
            throw new IllegalArgumentException("--spool-bytes must be at least " + (Spool.MIN_BYTES >> 20)
                    + "MiB, and is " + spoolBytes + " bytes");
        }
        if (processExits && !trace) {
            throw new IllegalArgumentException(
                    "--process-exits=on needs the kernel's trace of signals, and --trace is off: give --trace=on");
        }
        if (metricsMaxSeries < 1) {
            throw new IllegalArgumentException("--metrics-max-series must be at least 1, and is " + metricsMaxSeries);
        }
        if (!systemdBus.equals(SystemdUnits.AUTO)
                && !systemdBus.equals(SystemdUnits.OFF)
                && !systemdBus.startsWith("/")) {
            throw new IllegalArgumentException(
                    "--systemd-bus must be the path of a socket, auto or off, and is " + systemdBus);
        }
        if (!List.of("auto", "journal", "off").contains(containerdLog) && !containerdLog.startsWith("/")) {
            throw new IllegalArgumentException(
                    "--containerd-log must be the path of a file, auto, journal or off, and is " + containerdLog);
        }
        aggregators = List.copyOf(aggregators);
    }

    /** Returns the same settings with another aggregator ({@code HOST:PORT}). */
    public AgentConfig sendingTo(String aggregator) {
        return new AgentConfig(
                nodeName,
                clusterName,
                stateDir,
                kmsgPath,
                cgroupRoot,
                procRoot,
                List.of(aggregator),
                security,
                counterGrace,
                runtimeSockets,
                podLabels,
                identityTimeout,
                sampleInterval,
                spoolBytes,
                trace,
                senderCommand,
                processExits,
                metricsMaxSeries,
                systemdBus,
                containerdLog);
    }
}
