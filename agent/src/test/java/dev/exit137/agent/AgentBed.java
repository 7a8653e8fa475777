package dev.exit137.agent;

import dev.exit137.agent.container.LabelFilter;
import dev.exit137.agent.container.RuntimeSockets;
import dev.exit137.agent.delivery.EventSink;
import dev.exit137.agent.trace.SenderCommand;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.http.Observed;
import dev.exit137.daemon.tls.ClientSecurity;
import dev.exit137.proto.state.v1.Checkpoint;
import dev.exit137.proto.state.v1.SpoolSegment;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.OomKillEvent;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A whole agent between a node that is made up and an aggregator that does as it is told. */
abstract class AgentBed {
    /** Where only {@link #settled} kills. */
    private static final String MARKER = "/marker";

    @TempDir
    Path directory;

    FakeHost host;
    FakeAggregator aggregator;
    Path stateDir;
    /** Who is told of the agent's events beside the aggregator. */
    EventSink told = EventSink.NONE;

    InstantSource clock = InstantSource.system();
    /** How many kills only a counter showed, beside those of {@link #settled}. */
    int countedOnly;

    private Agent agent;
    private int crashes;
    private int markers;

    @BeforeEach
    void makeTheNode() {
        host = new FakeHost(directory);
        host.cgroup("/a");
        host.cgroup(MARKER);
        aggregator = new FakeAggregator();
        stateDir = directory.resolve("state");
    }

    @AfterEach
    void endEverything() throws InterruptedException {
        if (agent != null) {
            agent.close();
        }
        aggregator.close();
        host.close();
    }

    /** What an agent of this bed survived. */
    final Guard guard = new Guard();

    void start() throws IOException {
        start(host.kmsg.path(), host.cgroupRoot());
    }

    void start(Path kmsgPath, Path cgroupRoot) throws IOException {
        agent = Agent.start(
                new AgentConfig(
                        "node-1",
                        "cluster-1",
                        stateDir,
                        kmsgPath,
                        cgroupRoot,
                        host.procRoot(),
                        List.of(aggregator.address()),
                        ClientSecurity.PLAINTEXT,
                        AgentConfig.DEFAULT_COUNTER_GRACE,
                        new RuntimeSockets(List.of(criSocket()), List.of()),
                        LabelFilter.DEFAULT,
                        AgentConfig.DEFAULT_IDENTITY_TIMEOUT,
                        AgentConfig.DEFAULT_SAMPLE_INTERVAL,
                        AgentConfig.DEFAULT_SPOOL_BYTES,
                        false,
                        new SenderCommand(false),
                        false,
                        AgentConfig.DEFAULT_METRICS_MAX_SERIES,
                        "off",
                        "off"),
                told,
                clock,
                guard);
    }

    /** Where the agent looks for a container runtime. */
    Path criSocket() {
        return directory.resolve("cri.sock");
    }

    /** As probes and Prometheus see the agent. */
    Observed observed() {
        return agent;
    }

    void stop() {
        agent.close();
        agent = null;
    }

    /** What the state directory holds now is all that the next agent finds. */
    void crash() throws IOException {
        Path left = directory.resolve("state-" + ++crashes);
        Files.createDirectories(left.resolve("spool"));
        if (Files.exists(stateDir.resolve("checkpoint"))) {
            Files.copy(stateDir.resolve("checkpoint"), left.resolve("checkpoint"));
        }
        if (Files.isDirectory(stateDir.resolve("spool"))) {
            try (DirectoryStream<Path> segments = Files.newDirectoryStream(stateDir.resolve("spool"))) {
                for (Path segment : segments) {
                    Files.copy(segment, left.resolve("spool").resolve(segment.getFileName()));
                }
            }
        }
        stop();
        stateDir = left;
    }

    /** The disk takes no events from the start. */
    void breakTheSpool() throws IOException {
        Files.createDirectories(stateDir);
        Files.writeString(stateDir.resolve("spool"), "in the way");
    }

    /** Another boot of the same node. */
    void reboot(String bootId) {
        stop();
        host.reboot(bootId);
        markers = 0;
    }

    void awaitCheckpoint(String what, Predicate<Checkpoint> condition) {
        Await.until("a checkpoint " + what, this::checkpoint, condition);
    }

    /** A checkpoint that covers every record printed so far, with so many events that no aggregator has. */
    void awaitCheckpointOfAll(int unacknowledged) {
        long sequence = host.kmsg.nextSequence();
        awaitCheckpoint(
                "of all before record " + sequence + " with " + unacknowledged + " unacknowledged events",
                c -> c.getKmsgNextSequence() >= sequence && waiting(c) == unacknowledged);
    }

    private static int waiting(Checkpoint checkpoint) {
        return checkpoint.getSpoolList().stream()
                .mapToInt(SpoolSegment::getRecords)
                .sum();
    }

    private Checkpoint checkpoint() {
        try {
            Path file = stateDir.resolve("checkpoint");
            return Files.exists(file)
                    ? Checkpoint.parseFrom(Files.readAllBytes(file))
                    : Checkpoint.getDefaultInstance();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Makes the agent settle its books, by a kill that only a counter shows: whatever else it had to tell, it tells
     * before or with that. To be called when every kill before is sure to be named, whatever counters move.
     *
     * @param others takes each event that comes and is not of that kill
     * @return the status with the books settled
     */
    AgentStatus settled(AgentStream stream, Consumer<OomKillEvent> others) throws InterruptedException {
        long expected = ++markers + countedOnly;
        host.count(MARKER);
        return stream.nextStatus(status -> status.getLosses().getKillsWithoutRecord() >= expected, event -> {
            if (event.getCgroupPath().equals(MARKER)) {
                stream.acknowledge(event);
            } else {
                others.accept(event);
            }
        });
    }
}
