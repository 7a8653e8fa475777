package dev.exit137.cli.options;

import dev.exit137.agent.AgentConfig;
import dev.exit137.agent.container.LabelFilter;
import dev.exit137.agent.container.RuntimeSockets;
import dev.exit137.agent.delivery.EventSink;
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
      description = "Where the agent keeps its checkpoint and its spool (default: /var/lib/exit137).")
  private Optional<Path> stateDir;

  @Option(
      names = "--kmsg-path",
      paramLabel = "FILE",
      defaultValue = "/dev/kmsg",
      description = "The kernel's log (default: ${DEFAULT-VALUE}).")
  private Path kmsgPath;

  @Option(
      names = "--cgroup-root",
      paramLabel = "DIR",
      description = "Mount point of the hierarchy with the memory controller (default: found in mountinfo).")
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
      description = "How long a kill that a counter shows may wait for its kernel record, 10ms to 60s "
          + "(default: ${DEFAULT-VALUE}).")
  private Duration counterGrace;

  @Option(
      names = "--cri-endpoint",
      paramLabel = "SOCKET",
      description = "Socket of the container runtime, unix:///PATH (default: the usual places of containerd and CRI-O).")
  private Optional<String> criEndpoint;

  @Option(
      names = "--docker-endpoint",
      paramLabel = "SOCKET",
      description = "Socket of the Docker Engine, unix:///PATH (default: /run/docker.sock).")
  private Optional<String> dockerEndpoint;

  @Option(
      names = "--pod-labels",
      paramLabel = "NAME",
      split = ",",
      defaultValue = "app.kubernetes.io/*,app",
      description = "Labels of a pod that go into its events; a star at the end stands for the rest "
          + "(default: ${DEFAULT-VALUE}).")
  private List<String> podLabels;

  @Option(
      names = "--identity-timeout",
      paramLabel = "DURATION",
      defaultValue = "250ms",
      description = "How long an event waits for the runtime to name its container, 0ms to 10s; later answers send it "
          + "again (default: ${DEFAULT-VALUE}).")
  private Duration identityTimeout;

  @Option(
      names = "--sample-interval",
      paramLabel = "DURATION",
      defaultValue = "10s",
      description = "How often it is read where the memory of each cgroup with a limit is, for kills of which the kernel "
          + "prints no report, 1s to 1h; 0ms for never (default: ${DEFAULT-VALUE}).")
  private Duration sampleInterval;

  @Option(
      names = "--spool-bytes",
      paramLabel = "SIZE",
      converter = SizeInBytes.class,
      defaultValue = "64MiB",
      description = "What events that no aggregator has may take in the state directory, at least 4MiB; when it is full "
          + "the oldest go, and are counted (default: ${DEFAULT-VALUE}).")
  private long spoolBytes;

  @Option(
      names = "--log-events",
      description = "Prints each event as a line of JSON on stdout, for collectors of logs; run then prints nothing else "
          + "there.")
  private boolean logEvents;

  @Option(
      names = "--metrics-max-series",
      paramLabel = "N",
      defaultValue = "1000",
      description = "For how many workloads each metric has a series of its own; the others count together "
          + "(default: ${DEFAULT-VALUE}).")
  private int metricsMaxSeries;

  private static final class SizeInBytes implements ITypeConverter<Long> {
    @Override
    public Long convert(String text) {
      return SizeOption.bytes(text);
    }
  }

  /**
   * As the agent takes it.
   *
   * @param aggregators where it sends its events, tried in turn
   * @param security how it connects to them
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
          cgroupRoot,
          procRoot,
          aggregators.stream().map(HostPort::toString).toList(),
          security,
          counterGrace,
          runtimeSockets(),
          new LabelFilter(podLabels),
          identityTimeout,
          sampleInterval,
          spoolBytes,
          metricsMaxSeries);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(command.commandLine(), e.getMessage(), e);
    }
  }

  /** Whether stdout gets each event as a line of JSON from the agent. */
  public boolean logsEvents() {
    return logEvents;
  }

  /** Where the agent's events go beside the aggregator; the caller closes it. */
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
      throw new ParameterException(command.commandLine(), "--node-name is needed: " + HOST_NAME + " cannot be read", e);
    }
  }
}
