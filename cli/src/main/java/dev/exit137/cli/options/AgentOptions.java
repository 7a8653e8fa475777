package dev.exit137.cli.options;

import dev.exit137.agent.AgentConfig;
import dev.exit137.agent.container.LabelFilter;
import dev.exit137.agent.container.RuntimeSockets;
import dev.exit137.agent.delivery.EventSink;
import dev.exit137.agent.trace.SenderCommand;
import dev.exit137.cli.client.HostPort;
import dev.exit137.cli.render.EventLog;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.tls.ClientSecurity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Settings of an agent. */
public final class AgentOptions {
    private static final Path HOST_NAME = Path.of("/proc/sys/kernel/hostname");

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    @Option(
            names = "--node-name",
            paramLabel = "NAME",
            description = "Name of this node in every event (default: the host name).")
    private Optional<String> nodeName;

    @Option(
            names = "--cluster-name",
            paramLabel = "NAME",
            defaultValue = "",
            description = "Name of the cluster in every event (default: none).")
    private String clusterName;

    @Option(
            names = "--state-dir",
            paramLabel = "DIR",
            description = "Directory for the agent's checkpoint and spool (default: /var/lib/exit137).")
    private Optional<Path> stateDir;

    @Option(
            names = "--kmsg-path",
            paramLabel = "FILE",
            defaultValue = "/dev/kmsg",
            description = "The kernel log (default: ${DEFAULT-VALUE}).")
    private Path kmsgPath;

    @Option(
            names = "--cgroup-root",
            paramLabel = "DIR",
            description =
                    "Mount point of the cgroup hierarchy with the memory controller (default: found in mountinfo).")
    private Optional<Path> cgroupRoot;

    @Option(
            names = "--proc-root",
            paramLabel = "DIR",
            defaultValue = "/proc",
            description = "The host's procfs (default: ${DEFAULT-VALUE}).")
    private Path procRoot;

    @Option(
            names = "--counter-grace",
            paramLabel = "DURATION",
            defaultValue = "500ms",
            description =
                    "Time that the agent waits for the kernel log's record after a counter has shown a kill, 10ms to "
                            + "60s (default: ${DEFAULT-VALUE}).")
    private Duration counterGrace;

    @Option(
            names = "--cri-endpoint",
            paramLabel = "SOCKET",
            description = "Socket of the container runtime, unix:///PATH (default: the usual places of containerd and "
                    + "CRI-O).")
    private Optional<String> criEndpoint;

    @Option(
            names = "--docker-endpoint",
            paramLabel = "SOCKET",
            description = "Socket of the Docker Engine, unix:///PATH (default: /run/docker.sock).")
    private Optional<String> dockerEndpoint;

    @Option(
            names = "--systemd-bus",
            paramLabel = "PATH|auto|off",
            defaultValue = "auto",
            description =
                    "Socket of the system bus, to learn of the ends of services. auto: the usual one, where systemd "
                            + "is there; off: do not connect (default: ${DEFAULT-VALUE}).")
    private String systemdBus;

    @Option(
            names = "--containerd-log",
            paramLabel = "FILE|auto|journal|off",
            defaultValue = "auto",
            description =
                    "containerd's log, which alone says that a client of the CRI asked for a stop. auto: the file of "
                            + "k3s or RKE2, else the journal; journal: what journalctl has of containerd.service; off: do not read "
                            + "it (default: ${DEFAULT-VALUE}).")
    private String containerdLog;

    @Option(
            names = "--pod-labels",
            paramLabel = "NAME",
            split = ",",
            defaultValue = "app.kubernetes.io/*,app,batch.kubernetes.io/job-name,apps.kubernetes.io/pod-index,"
                    + "pod-template-hash,pod-template-generation",
            description = "Pod labels to include in events; a star at the end matches any ending "
                    + "(default: ${DEFAULT-VALUE}).")
    private List<String> podLabels;

    @Option(
            names = "--identity-timeout",
            paramLabel = "DURATION",
            defaultValue = "250ms",
            description =
                    "Time that an event waits for the container's name from the runtime, 0ms to 10s. After a later "
                            + "answer the event is sent again (default: ${DEFAULT-VALUE}).")
    private Duration identityTimeout;

    @Option(
            names = "--sample-interval",
            paramLabel = "DURATION",
            defaultValue = "10s",
            description =
                    "Time between two samples of the memory of each cgroup that uses half of its limit, 1s to 1h; 0ms "
                            + "turns sampling off. Events use the sample if the kernel prints no report (default: ${DEFAULT-VALUE}).")
    private Duration sampleInterval;

    @Option(
            names = "--spool-bytes",
            paramLabel = "SIZE",
            converter = SizeInBytes.class,
            defaultValue = "64MiB",
            description = "Largest size of the spool, at least 4MiB. It keeps events in the state directory until an "
                    + "aggregator acknowledges them. A full spool drops its oldest events and counts them (default: "
                    + "${DEFAULT-VALUE}).")
    private long spoolBytes;

    private enum Switch {
        ON,
        OFF
    }

    @Option(
            names = "--trace",
            paramLabel = "on|off",
            defaultValue = "on",
            description =
                    "Read the kernel's trace of SIGKILL and SIGTERM, which names the sender (default: ${DEFAULT-VALUE}). "
                            + "Without it the sender of a signal is not known.")
    private Switch trace;

    @Option(
            names = "--sender-cmdline",
            paramLabel = "on|off",
            defaultValue = "off",
            description =
                    "Keep the command line of a process that sends a signal, without the values of passwords, tokens "
                            + "and keys. If off, only the program's name and the subcommand of known tools (default: "
                            + "${DEFAULT-VALUE}).")
    private Switch senderCmdline;

    @Option(
            names = "--process-exits",
            paramLabel = "on|off",
            defaultValue = "off",
            description =
                    "Also report each process that a SIGKILL ended and that is in no container's or service's end, up to "
                            + "64 at once and 5 a second (default: ${DEFAULT-VALUE}).")
    private Switch processExits;

    @Option(
            names = "--log-events",
            description = "Print each event as a line of JSON on stdout, for log collectors. 'exit137 run' then prints "
                    + "nothing else on stdout.")
    private boolean logEvents;

    @Option(
            names = "--metrics-max-series",
            paramLabel = "N",
            defaultValue = "1000",
            description = "Largest number of series in each metric of kills; further workloads are counted together "
                    + "(default: ${DEFAULT-VALUE}).")
    private int metricsMaxSeries;

    private static final class SizeInBytes implements ITypeConverter<Long> {
        @Override
        public Long convert(String text) {
            return SizeOption.bytes(text);
        }
    }

    /**
     * These flags as the agent's configuration.
     *
     * @param aggregators the agent tries them in turn and sends its events to the first that answers
     * @param security TLS and tokens for these connections
     * @throws ParameterException a setting breaks a rule
     */
    public AgentConfig config(Terminal terminal, List<HostPort> aggregators, ClientSecurity security) {
        Path directory = stateDir.orElseGet(() -> {
            Path fallback = StateDirectory.byDefault(terminal.environment());
            if (!fallback.equals(AgentConfig.DEFAULT_STATE_DIR)) {
                terminal.say("not root, so the agent's state is kept in " + fallback + " (--state-dir)");
            }
            return fallback;
        });
        try {
            return new AgentConfig(
                    nodeName.orElseGet(this::hostName),
                    clusterName,
                    directory,
                    kmsgPath,
                    cgroupRoot.orElse(null),
                    procRoot,
                    aggregators.stream().map(HostPort::toString).toList(),
                    security,
                    counterGrace,
                    runtimeSockets(),
                    new LabelFilter(podLabels),
                    identityTimeout,
                    sampleInterval,
                    spoolBytes,
                    trace == Switch.ON,
                    new SenderCommand(senderCmdline == Switch.ON),
                    processExits == Switch.ON,
                    metricsMaxSeries,
                    systemdBus,
                    containerdLog);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(command.commandLine(), e.getMessage(), e);
        }
    }

    /** Whether the agent prints each event as a line of JSON on stdout. */
    public boolean logsEvents() {
        return logEvents;
    }

    /** The sink that gets the agent's events in addition to the aggregator; the caller closes it. */
    public EventSink eventSink(Terminal terminal, Guard guard) {
        return logEvents ? new EventLog(terminal, guard) : EventSink.NONE;
    }

    private RuntimeSockets runtimeSockets() {
        RuntimeSockets sockets = criEndpoint.map(RuntimeSockets.USUAL::withCri).orElse(RuntimeSockets.USUAL);
        return dockerEndpoint.map(sockets::withDocker).orElse(sockets);
    }

    private String hostName() {
        try {
            return Files.readString(HOST_NAME).strip();
        } catch (IOException e) {
            throw new ParameterException(
                    command.commandLine(), "--node-name is needed: " + HOST_NAME + " cannot be read", e);
        }
    }
}
