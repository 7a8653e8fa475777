package dev.exit137.agent;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.exit137.agent.container.FakeCri;
import dev.exit137.agent.delivery.EventSink;
import dev.exit137.agent.delivery.spool.Spool;
import dev.exit137.proto.cri.v1.ContainerState;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.Losses;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import io.grpc.Status;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Whatever throws unexpectedly, the agent goes on, the next kill is delivered, and the place is counted. */
class UnexpectedTest extends AgentBed {
    private static final String ID = "4f0c".repeat(16);
    private static final String POD = "beef".repeat(16);
    private static final String CONTAINER = "/kubepods/burstable/pod0f6f9a2c-1111-2222-3333-444455556666/" + ID;

    private static final String NONE = "none";

    private final FaultyDisk disk = new FaultyDisk();
    /** The thread on which the clock fails. */
    private volatile String timelessThread = NONE;

    @BeforeEach
    void makeWhatMayFail() {
        stateDir = disk.path(stateDir);
        InstantSource machine = clock;
        clock = () -> {
            if (Thread.currentThread().getName().startsWith(timelessThread)) {
                throw new IllegalStateException("no time");
            }
            return machine.instant();
        };
    }

    @Override
    Path criSocket() {
        return disk.path(super.criSocket());
    }

    /** Throws for each event until it does so no more. */
    private void sink(Consumer<OomKillEvent> taker) {
        told = new EventSink() {
            @Override
            public void add(OomKillEvent event) {
                taker.accept(event);
            }

            @Override
            public long dropped() {
                return 0;
            }

            @Override
            public void close() {
                // Nothing is open.
            }
        };
    }

    private OomKillEvent delivered(AgentStream stream, String cgroup, int pid) throws InterruptedException {
        host.kill(cgroup, pid);
        return next(stream, pid);
    }

    private static OomKillEvent next(AgentStream stream, int pid) throws InterruptedException {
        OomKillEvent event = stream.nextEvents(1).getFirst();
        assertThat(event.getVictim().getPid()).isEqualTo(pid);
        stream.acknowledge(event);
        return event;
    }

    /** @return how often the place is counted, as the aggregator learns it */
    private static long counted(AgentStream stream, String place) throws InterruptedException {
        return status(stream, status -> status.getLosses().containsInternalErrors(place))
                .getLosses()
                .getInternalErrorsOrThrow(place);
    }

    private static AgentStatus status(AgentStream stream, Predicate<AgentStatus> condition)
            throws InterruptedException {
        return stream.nextStatus(condition, stream::acknowledge);
    }

    @Test
    void aSinkThatThrowsForEachEventStopsNothing() throws Exception {
        int kills = 300;
        sink(event -> {
            if (event.getVictim().getPid() == 1) {
                throw new NoClassDefFoundError("as where a jar is damaged");
            }
            throw new IllegalStateException("no room");
        });
        start();
        AgentStream stream = aggregator.nextStream();
        for (int pid = 1; pid <= kills; pid++) {
            host.kill("/a", pid);
        }
        for (int pid = 1; pid <= kills; pid++) {
            next(stream, pid);
        }
        status(stream, status -> status.getLosses().getInternalErrorsOrDefault("event-sink", 0) == kills);
    }

    @Test
    void aSinkThatThrowsInATimerLosesNeitherTheEventThatWaitedForItsNameNorItsName() throws Exception {
        sink(event -> {
            throw new IllegalStateException("no room");
        });
        try (FakeCri cri = runtime()) {
            cri.keepSilent(true);
            cri.start();
            start();
            AgentStream stream = aggregator.nextStream();
            assertThat(delivered(stream, CONTAINER, 11).getContainer().getName())
                    .isEmpty();
            cri.keepSilent(false);
            assertThat(next(stream, 11).getContainer().getName()).isEqualTo("web");
            assertThat(counted(stream, "event-sink")).isEqualTo(2);
        }
    }

    private FakeCri runtime() {
        host.cgroup(CONTAINER);
        FakeCri cri = new FakeCri(super.criSocket());
        cri.sandbox(POD, "cart-0", Map.of("app", "cart"));
        cri.container(ID, POD, "web", 2, ContainerState.CONTAINER_EXITED, 0);
        return cri;
    }

    @Test
    void anEventThatCannotBeMappedAndCountedGoesOutAsTheKernelToldIt() throws Exception {
        // The age of a process in the report's table is asked for.
        Files.writeString(Files.createDirectories(host.procRoot().resolve("3")).resolve("comm"), "hog\n");
        start();
        AgentStream stream = aggregator.nextStream();
        timelessThread = "agent-worker";
        LongReportTest.printReport(host, 3);
        OomKillEvent unmapped = delivered(stream, "/a", 7);
        assertThat(unmapped.getIncident().getTasksCount()).isZero();
        assertThat(counted(stream, "mapping")).isEqualTo(1);
        assertThat(counted(stream, "kill-metrics")).isEqualTo(1);

        timelessThread = NONE;
        LongReportTest.printReport(host, 3);
        assertThat(delivered(stream, "/a", 8).getIncident().getTasksCount()).isEqualTo(3);
    }

    @Test
    void aRuntimeWhoseSocketCannotBeLookedForIsLookedForAgain() throws Exception {
        disk.fail(path -> path.endsWith("cri.sock"), () -> new IllegalStateException("no such look"));
        try (FakeCri cri = runtime()) {
            cri.start();
            start();
            AgentStream stream = aggregator.nextStream();
            assertThat(delivered(stream, CONTAINER, 11).getContainer().getName())
                    .isEmpty();
            assertThat(counted(stream, "identity")).isPositive();
            disk.mend();
            assertThat(next(stream, 11).getContainer().getName()).isEqualTo("web");
        }
    }

    @Test
    void aContainerWhoseProcessesCannotBeReadIsNamedAllTheSame() throws Exception {
        try (FakeCri cri = runtime()) {
            Files.writeString(host.cgroupRoot().resolve(CONTAINER.substring(1)).resolve("cgroup.procs"), "not a pid\n");
            cri.start();
            start();
            AgentStream stream = aggregator.nextStream();
            assertThat(counted(stream, "processes")).isPositive();
            assertThat(delivered(stream, CONTAINER, 11).getContainer().getId()).isEqualTo(ID);
        }
    }

    @Test
    void aSpoolThatFailsIsDoneWithoutAndUsedOnceItWorks() throws Exception {
        disk.fail(path -> path.contains("/spool"), () -> new IllegalStateException("no spool"));
        start();
        AgentStream stream = aggregator.nextStream();
        delivered(stream, "/a", 11);
        AgentStatus status = status(stream, each -> spool(each) == State.UNAVAILABLE);
        assertThat(status.getLosses().getInternalErrorsMap()).containsKey("spool");

        disk.mend();
        awaitCheckpointOfAll(0);
        delivered(stream, "/a", 12);
        status(stream, each -> spool(each) == State.ACTIVE);
    }

    private static State spool(AgentStatus status) {
        return status.getSourcesList().stream()
                .filter(source -> source.getName().equals("spool"))
                .map(SourceStatus::getState)
                .findFirst()
                .orElseThrow();
    }

    @Test
    void aCheckpointThatFailsIsWrittenOnceItCanBeThoughNothingMoreHappens() throws Exception {
        disk.fail(path -> path.endsWith("checkpoint.new"), () -> new StackOverflowError("no checkpoint"));
        start();
        AgentStream stream = aggregator.nextStream();
        delivered(stream, "/a", 11);
        Await.until("the failure", guard::counts, counts -> counts.containsKey("checkpoint"));
        delivered(stream, "/a", 12);
        Losses losses = status(stream, status -> status.getLosses().getCheckpointFailures() > 0)
                .getLosses();
        long failures = losses.getInternalErrorsOrThrow("checkpoint");
        Await.until("two more attempts", guard::counts, counts -> counts.get("checkpoint") >= failures + 2);

        disk.mend();
        awaitCheckpointOfAll(0);
    }

    @Test
    void whatIsWrittenAfterSomeoneDeletedTheStateDirectoryIsStillThereAfterACrash() throws Exception {
        stateDir = Path.of(stateDir.toString());
        start();
        AgentStream stream = aggregator.nextStream();
        delivered(stream, "/a", 11);
        awaitCheckpointOfAll(0);
        deleteAll(stateDir);
        host.kill("/a", 12);
        assertThat(stream.nextEvents(1).getFirst().getVictim().getPid()).isEqualTo(12);
        awaitCheckpointOfAll(1);

        crash();
        start();
        next(aggregator.nextStream(), 12);
    }

    private static void deleteAll(Path directory) throws IOException {
        try (Stream<Path> all = Files.walk(directory)) {
            all.sorted(Comparator.reverseOrder()).forEach(path -> {
                try {
                    Files.delete(path);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }
    }

    @Test
    void anUplinkThatFailsWhileItsStreamEndsOpensAnother() throws Exception {
        start();
        AgentStream first = aggregator.nextStream();
        delivered(first, "/a", 11);
        timelessThread = "agent-worker";
        first.breakOff(Status.UNAVAILABLE);
        AgentStream second = aggregator.nextStream();
        timelessThread = NONE;
        delivered(second, "/a", 12);
        assertThat(counted(second, "uplink")).isEqualTo(1);
    }

    @Test
    void anEventInTheSpoolThatCannotBeReadIsSetAsideAndTheOthersAreSent() throws Exception {
        OomKillEvent key = OomKillEvent.newBuilder()
                .setEventId("boot-1/kmsg/99")
                .setRevision(1)
                .build();
        // A field that ends before its length.
        ByteString unreadable = key.toByteString().concat(ByteString.copyFrom(new byte[] {0x22, 0x7f, 1}));
        OomKillEvent whole = OomKillEvent.newBuilder()
                .setEventId("boot-1/kmsg/98")
                .setRevision(1)
                .build();
        try (Spool spool = new Spool(stateDir.resolve("spool"), Spool.MIN_BYTES)) {
            spool.append(List.of(unreadable, whole.toByteString()));
        }
        start();
        AgentStream stream = aggregator.nextStream();
        assertThat(stream.nextEvents(1)).containsExactly(whole);
        stream.acknowledge(whole);
        delivered(stream, "/a", 11);
        Losses losses = status(stream, status -> status.getLosses().getSpoolEventsDamaged() > 0)
                .getLosses();
        assertThat(losses.getSpoolEventsDamaged()).isEqualTo(1);
        assertThat(losses.getInternalErrorsMap()).isEmpty();
        assertThat(Files.readString(stateDir.resolve("refused.jsonl"))).contains(key.getEventId(), "undecodedBase64");
        awaitCheckpointOfAll(0);
    }

    @Test
    void aStatusThatCannotBeMadeLeavesTheOneBeforeToProbesAndPrometheus() throws Exception {
        start();
        AgentStream stream = aggregator.nextStream();
        delivered(stream, "/a", 11);
        assertThat(Scrape.of(observed().metrics())).containsKey("exit137_watched_cgroups");
        timelessThread = "agent-epoll";
        assertThat(Scrape.of(observed().metrics())).containsKey("exit137_watched_cgroups");
        assertThat(observed().ready()).extracting(Object::toString).contains("kmsg ok");
        assertThat(guard.counts()).containsKey("state");
        timelessThread = NONE;
        assertThat(counted(stream, "state")).isPositive();
        delivered(stream, "/a", 12);
    }
}
