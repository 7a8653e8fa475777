package dev.exit137.agent;

import dev.exit137.agent.cgroup.MemoryRequest;
import dev.exit137.agent.identity.ContainerProcesses;
import dev.exit137.agent.identity.Identities;
import dev.exit137.agent.report.AgentState;
import dev.exit137.agent.report.AgentWorker;
import dev.exit137.agent.report.CheckpointFile;
import dev.exit137.agent.report.EventSink;
import dev.exit137.agent.report.KillMetrics;
import dev.exit137.agent.report.OomEventMapper;
import dev.exit137.agent.report.TaskCgroups;
import dev.exit137.agent.report.Workloads;
import dev.exit137.agent.spool.Spool;
import dev.exit137.proto.guard.Guard;
import dev.exit137.proto.http.Check;
import dev.exit137.proto.http.Heartbeat;
import dev.exit137.proto.http.Observed;
import dev.exit137.proto.state.v1.Checkpoint;
import dev.exit137.proto.v1.Losses;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The node agent: kernel evidence in, events out. Started and closed once. */
public final class Agent implements Observed, AutoCloseable {
  /** A loop does nothing that takes long. */
  private static final Duration LOOP_PATIENCE = Duration.ofMinutes(1);
  /** The worker waits for the disk. A slow one, or a full one, is mended by no restart. */
  private static final Duration WORKER_PATIENCE = Duration.ofMinutes(5);
  /** Whoever asks gets the state before where a thread is busy. */
  private static final long STATE_MILLIS = 250;

  private static final Logger LOG = LoggerFactory.getLogger(Agent.class);

  private final CheckpointFile checkpointFile;
  private final Identities identities;
  private final ContainerProcesses processes;
  private final AgentWorker worker;
  private final EvidenceLoop loop;
  private final KillMetrics kills;
  private final List<Heartbeat> heartbeats;
  private volatile Optional<AgentState> lastState = Optional.empty();

  private Agent(
      CheckpointFile checkpointFile,
      Identities identities,
      ContainerProcesses processes,
      AgentWorker worker,
      EvidenceLoop loop,
      KillMetrics kills) {
    this.checkpointFile = checkpointFile;
    this.identities = identities;
    this.processes = processes;
    this.worker = worker;
    this.loop = loop;
    this.kills = kills;
    heartbeats =
        List.of(
            new Heartbeat("agent-epoll", loop.thread(), LOOP_PATIENCE),
            new Heartbeat("agent-worker", worker.thread(), WORKER_PATIENCE));
  }

  /**
   * Starts the agent's threads; what happened before is read, and the node is watched, when it returns.
   *
   * @param told of each event as it goes out to the aggregator
   * @param clock the node's wall clock
   * @param guard of this process
   * @throws IOException the state directory cannot be used, or nothing at all can be watched; the message is fit for
   *     a user
   */
  public static Agent start(AgentConfig config, EventSink told, InstantSource clock, Guard guard) throws IOException {
    CheckpointFile checkpointFile = new CheckpointFile(config.stateDir());
    Identities identities =
        new Identities(config.runtimeSockets(), config.podLabels(), config.procRoot(), clock, guard);
    OptionalLong nodeMemoryBytes = MemoryRequest.nodeMemoryBytes(config.procRoot());
    ContainerProcesses processes = new ContainerProcesses(config.procRoot(), nodeMemoryBytes, clock, guard);
    AgentWorker worker = null;
    EvidenceLoop loop = null;
    KillMetrics kills = new KillMetrics(config.metricsMaxSeries());
    try {
      Node node = node(config);
      Optional<Checkpoint> last = checkpointFile.read();
      // Another boot has other sequence numbers, inodes and counters; what was not acknowledged is still to be sent.
      Optional<Checkpoint> ofThisBoot = last.filter(checkpoint -> checkpoint.getBootId().equals(node.getBootId()));
      Losses before = ofThisBoot.map(Checkpoint::getLosses).orElse(Losses.getDefaultInstance());
      Workloads workloads = new Workloads(last.map(Checkpoint::getWorkloadsList).orElse(List.of()));
      // First of all: what the kernel's ring still holds is read at once, and is to have names, too.
      identities.start();
      worker =
          new AgentWorker(
              checkpointFile, new Spool(config.stateDir().resolve("spool"), config.spoolBytes()), config.aggregators(),
              config.security(), last.orElse(Checkpoint.getDefaultInstance()), before, identities,
              new OomEventMapper(
                  identities, processes, new TaskCgroups(config.procRoot(), clock), nodeMemoryBytes,
                  workloads, guard),
              kills, config.identityTimeout(), told, clock, guard);
      loop = new EvidenceLoop(config, node, identities, processes, worker, ofThisBoot, clock, guard);
      loop.start();
      worker.start();
      return new Agent(checkpointFile, identities, processes, worker, loop, kills);
    } catch (IOException | RuntimeException e) {
      if (loop != null) {
        loop.close();
      }
      if (worker != null) {
        worker.close();
      }
      identities.close();
      processes.close();
      checkpointFile.close();
      throw e;
    }
  }

  @Override
  public List<Check> alive() {
    return heartbeats.stream().map(Heartbeat::check).toList();
  }

  /** It watches, or there would be no agent; its sources and its aggregator are told, and fail nothing. */
  @Override
  public List<Check> ready() {
    List<Check> checks = new ArrayList<>(List.of(Check.ok("watching")));
    state().ifPresent(state -> {
      for (SourceStatus source : state.status().getSourcesList()) {
        String how = source.getState() == State.ACTIVE ? "" : source.getState().name().toLowerCase(Locale.ROOT) + ": ";
        checks.add(Check.note(source.getName(), how + source.getDetail()));
      }
      checks.add(Check.note("aggregator", state.awaySince().map(since -> "away since " + since).orElse("")));
    });
    return checks;
  }

  @Override
  public MetricSnapshots metrics() {
    List<MetricSnapshot> now = state().map(AgentMetrics::of).orElse(List.of());
    return new MetricSnapshots(Stream.concat(kills.snapshots().stream(), now.stream()).toList());
  }

  private Optional<AgentState> state() {
    try {
      lastState =
          Optional.of(loop.statusNow().thenCompose(worker::state).get(STATE_MILLIS, TimeUnit.MILLISECONDS));
    } catch (ExecutionException | TimeoutException | RejectedExecutionException e) {
      LOG.debug("the agent's state is that of a while ago", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return lastState;
  }

  /** The version of this build; empty when it does not run from its jar. */
  static String version() {
    String version = Agent.class.getPackage().getImplementationVersion();
    return version == null ? "" : version;
  }

  private static Node node(AgentConfig config) throws IOException {
    Path kernel = config.procRoot().resolve("sys/kernel");
    return Node.newBuilder()
        .setName(config.nodeName())
        .setCluster(config.clusterName())
        .setBootId(readLine(kernel.resolve("random/boot_id")))
        .setKernelRelease(readLine(kernel.resolve("osrelease")))
        .build();
  }

  private static String readLine(Path file) throws IOException {
    try {
      return Files.readString(file).strip();
    } catch (IOException e) {
      throw new IOException("cannot read " + file + ": " + e + "; --proc-root must be a procfs of this node", e);
    }
  }

  /** Writes the checkpoint and ends every thread. What no aggregator has acknowledged is sent after the next start. */
  @Override
  public void close() {
    loop.close();
    worker.close();
    identities.close();
    processes.close();
    checkpointFile.close();
  }
}
