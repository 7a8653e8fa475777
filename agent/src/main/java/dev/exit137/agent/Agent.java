package dev.exit137.agent;

import com.google.protobuf.Timestamp;
import dev.exit137.agent.container.ContainerProcesses;
import dev.exit137.agent.container.Identities;
import dev.exit137.agent.container.Identity;
import dev.exit137.agent.container.TaskCgroups;
import dev.exit137.agent.delivery.AgentState;
import dev.exit137.agent.delivery.AgentWorker;
import dev.exit137.agent.delivery.CheckpointFile;
import dev.exit137.agent.delivery.EventSink;
import dev.exit137.agent.delivery.OomEventMapper;
import dev.exit137.agent.delivery.spool.Spool;
import dev.exit137.agent.exit.ExitJoiner;
import dev.exit137.agent.exit.LaterEndListener;
import dev.exit137.agent.exit.SignalBook;
import dev.exit137.agent.history.Workloads;
import dev.exit137.agent.linux.ProcMeminfo;
import dev.exit137.agent.metrics.KillMetrics;
import dev.exit137.agent.systemd.SystemdUnits;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.http.Check;
import dev.exit137.daemon.http.Heartbeat;
import dev.exit137.daemon.http.Observed;
import dev.exit137.proto.state.v1.Checkpoint;
import dev.exit137.proto.v1.Container;
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
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The node agent: takes the kernel's evidence and sends events. Started and closed once. */
public final class Agent implements Observed, AutoCloseable {
    /** A loop runs no task that takes long. */
    private static final Duration LOOP_PATIENCE = Duration.ofMinutes(1);
    /** The worker waits for the disk. A restart does not help when the disk is slow or full. */
    private static final Duration WORKER_PATIENCE = Duration.ofMinutes(5);
    /** After this time a scrape gets the previous state: a thread may be busy. */
    private static final long STATE_MILLIS = 250;

    private final AgentWorker worker;
    private final EvidenceLoop loop;
    private final KillMetrics kills;
    private final Guard guard;
    private final Deque<Runnable> closing;
    private final List<Heartbeat> heartbeats;
    private final AtomicBoolean asking = new AtomicBoolean();
    private volatile @Nullable AgentState lastState;

    private Agent(AgentWorker worker, EvidenceLoop loop, KillMetrics kills, Guard guard, Deque<Runnable> closing) {
        this.worker = worker;
        this.loop = loop;
        this.kills = kills;
        this.guard = guard;
        this.closing = closing;
        heartbeats = List.of(
                new Heartbeat("agent-epoll", loop.thread(), LOOP_PATIENCE),
                new Heartbeat("agent-worker", worker.thread(), WORKER_PATIENCE));
    }

    /**
     * Starts the agent's threads; when this method returns, earlier kills are read, and the node is watched.
     *
     * @param sink receives each event as it goes out to the aggregator
     * @param clock the node's wall clock
     * @param guard of this process
     * @throws IOException if the state directory cannot be used, or no source can be watched; the message is fit for a
     *     user
     */
    public static Agent start(AgentConfig config, EventSink sink, InstantSource clock, Guard guard) throws IOException {
        Deque<Runnable> closing = new ArrayDeque<>();
        try {
            CheckpointFile checkpointFile = new CheckpointFile(config.stateDir());
            closing.push(checkpointFile::close);
            Long nodeMemoryBytes = ProcMeminfo.totalBytes(config.procRoot()).orElse(null);
            ContainerProcesses processes = new ContainerProcesses(config.procRoot(), nodeMemoryBytes, clock, guard);
            closing.push(processes::close);
            Optional<Checkpoint> last = checkpointFile.read();
            // The loop needs the identities, and comes later.
            LaterEndListener ends = new LaterEndListener();
            Instant endsSince =
                    lastExit(last.orElse(Checkpoint.getDefaultInstance())).orElseGet(clock::instant);
            Identities identities = new Identities(
                    config.runtimeSockets(),
                    config.podLabels(),
                    config.procRoot(),
                    ends,
                    endsSince,
                    config.containerdLog(),
                    clock,
                    guard);
            closing.push(identities::close);
            SystemdUnits units =
                    new SystemdUnits(config.systemdBus(), ends, endsSince, identities.thread(), clock, guard);
            closing.push(units::close);
            SignalBook signals = new SignalBook();
            Node node = node(config);
            // Sequence numbers, inodes and counters of another boot have no meaning; unacknowledged events are still to
            // be
            // sent.
            Optional<Checkpoint> ofThisBoot =
                    last.filter(checkpoint -> checkpoint.getBootId().equals(node.getBootId()));
            Losses before = ofThisBoot.map(Checkpoint::getLosses).orElse(Losses.getDefaultInstance());
            Workloads workloads =
                    new Workloads(last.map(Checkpoint::getWorkloadsList).orElse(List.of()));
            KillMetrics kills = new KillMetrics(config.metricsMaxSeries());
            // Before all other parts: the records that the kernel's ring still holds are read at once, and need names,
            // too.
            identities.start();
            units.start();
            AgentWorker worker = new AgentWorker(
                    checkpointFile,
                    new Spool(config.stateDir().resolve("spool"), config.spoolBytes()),
                    config.aggregators(),
                    config.security(),
                    last.orElse(Checkpoint.getDefaultInstance()),
                    before,
                    node,
                    identities,
                    signals,
                    containers(identities, processes),
                    new OomEventMapper(
                            identities,
                            processes,
                            new TaskCgroups(config.procRoot(), clock),
                            nodeMemoryBytes,
                            workloads,
                            guard),
                    kills,
                    config.identityTimeout(),
                    sink,
                    clock,
                    guard);
            closing.push(worker::close);
            EvidenceLoop loop = new EvidenceLoop(
                    config, node, identities, units, processes, worker, signals, ofThisBoot.orElse(null), clock, guard);
            closing.push(loop::close);
            loop.start();
            ends.is(loop);
            worker.start();
            Agent agent = new Agent(worker, loop, kills, guard, closing);
            agent.refresh();
            return agent;
        } catch (Throwable e) {
            closeAll(closing, guard);
            throw e;
        }
    }

    private static ExitJoiner.Containers containers(Identities identities, ContainerProcesses processes) {
        return new ExitJoiner.Containers() {
            @Override
            public Optional<Container> find(String id) {
                return identities.find(id).map(Identity::container);
            }

            @Override
            public Optional<Integer> mainPid(String id, Instant endedAt) {
                return processes.initPid(id, endedAt);
            }

            @Override
            public Optional<Integer> shimPid(String id) {
                return identities.shimPid(id);
            }
        };
    }

    private static Optional<Instant> lastExit(Checkpoint last) {
        Timestamp time = last.getLastExit();
        return last.hasLastExit()
                ? Optional.of(Instant.ofEpochSecond(time.getSeconds(), time.getNanos()))
                : Optional.empty();
    }

    @Override
    public List<Check> alive() {
        return heartbeats.stream().map(Heartbeat::check).toList();
    }

    /**
     * Returns the checks of readiness. An agent that runs watches the node; the state of its sources and of its
     * aggregator is reported, but fails no check. The result is the last known state: this method asks for a new one, and
     * waits for no thread.
     */
    @Override
    public List<Check> ready() {
        AgentState known = lastState;
        refresh();
        List<Check> checks = new ArrayList<>(List.of(Check.ok("watching")));
        if (known != null) {
            for (SourceStatus source : known.status().getSourcesList()) {
                String how = source.getState() == State.ACTIVE
                        ? ""
                        : source.getState().name().toLowerCase(Locale.ROOT) + ": ";
                checks.add(Check.note(source.getName(), how + source.getDetail()));
            }
            checks.add(Check.note("aggregator", known.awaySince() == null ? "" : "away since " + known.awaySince()));
        }
        checks.add(Check.note("state", known == null ? "not known yet" : "as of " + reportedAt(known)));
        return checks;
    }

    private static Instant reportedAt(AgentState state) {
        Timestamp time = state.status().getReportedAt();
        return Instant.ofEpochSecond(time.getSeconds(), time.getNanos());
    }

    @Override
    public MetricSnapshots metrics() {
        List<MetricSnapshot> now = guard.get("state", this::stateMetrics, List.of());
        return new MetricSnapshots(
                Stream.concat(kills.snapshots().stream(), now.stream()).toList());
    }

    private List<MetricSnapshot> stateMetrics() {
        try {
            ask().get(STATE_MILLIS, TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            // The previous state is good enough.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        AgentState known = lastState;
        return known == null ? List.of() : AgentMetrics.of(known);
    }

    /** Asks for the state, unless a question is pending: a busy thread does not get the same question again and again. */
    private void refresh() {
        if (asking.compareAndSet(false, true)) {
            ask().whenComplete((state, failure) -> asking.set(false));
        }
    }

    /** Asks both threads for their state, and keeps the answer. */
    private CompletableFuture<AgentState> ask() {
        try {
            return loop.statusNow().thenCompose(worker::state).whenComplete((state, failure) -> {
                if (failure == null) {
                    lastState = state;
                } else {
                    guard.caught("state", failure);
                }
            });
        } catch (RejectedExecutionException e) {
            // The agent has been closed.
            return CompletableFuture.failedFuture(e);
        }
    }

    /** Returns the version of this build; empty if it does not run from its jar. */
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

    /** Writes the checkpoint and ends every thread. Unacknowledged events are sent after the next start. */
    @Override
    public void close() {
        closeAll(closing, guard);
    }

    /** Closes the parts in the reverse order of their start. */
    private static void closeAll(Deque<Runnable> closing, Guard guard) {
        closing.forEach(part -> guard.run("close", part));
    }
}
