package dev.exit137.agent.container;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonParser;
import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.Timestamp;
import com.google.protobuf.util.JsonFormat;
import dev.exit137.agent.Await;
import dev.exit137.agent.PidNamespace;
import dev.exit137.agent.container.Identities.Pace;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.exitreport.facts.End;
import dev.exit137.exitreport.facts.RuntimeAction.Kind;
import dev.exit137.proto.containerd.v1.Envelope;
import dev.exit137.proto.containerd.v1.TaskExit;
import dev.exit137.proto.containerd.v1.TaskOOM;
import dev.exit137.proto.containerd.v1.TaskPaused;
import dev.exit137.proto.containerd.v1.TaskStart;
import dev.exit137.proto.cri.v1.ContainerEventType;
import dev.exit137.proto.cri.v1.ContainerState;
import dev.exit137.proto.cri.v1.ContainerStatus;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Replays the event stream of a real containerd 1.6 that ran Docker's containers, as if they were kubelet's or a client's
 * own; the CRI tells of the same ends.
 */
class ContainerdEndsTest {
    private static final String POD = "beef".repeat(16);
    private static final List<String> RECORDED = recorded();
    /** The containers of the record, by what was done to them. */
    private static final String STOPPED = id(0);

    private static final String HAS_OOM = id("/tasks/oom", 0);
    private static final String CHILD_OOM = id("/tasks/oom", 1);
    private static final String PAUSED = id("/tasks/paused", 0);

    @TempDir
    private Path directory;

    private static final InstantSource CLOCK = InstantSource.fixed(Instant.parse("2026-12-01T00:00:00Z"));

    private final Guard guard = new Guard();
    private final ToldEnds ends = new ToldEnds();
    private String containerdLog = ContainerdLog.OFF;
    private FakeCri containerd;
    private Identities identities;

    private static List<String> recorded() {
        try (InputStream in =
                ContainerdEndsTest.class.getResourceAsStream("/dev/exit137/agent/exit/containerd-events-1.6.txt")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String id(int nth) {
        return RECORDED.stream()
                .map(ContainerdEndsTest::idOf)
                .distinct()
                .toList()
                .get(nth);
    }

    private static String id(String topic, int nth) {
        return RECORDED.stream()
                .filter(line -> line.contains(topic))
                .map(ContainerdEndsTest::idOf)
                .toList()
                .get(nth);
    }

    private static String idOf(String line) {
        return JsonParser.parseString(line.substring(line.indexOf('{')))
                .getAsJsonObject()
                .get("container_id")
                .getAsString();
    }

    /** Reads {@code 2026-11-30 01:58:42.6792766 +0000 UTC moby /tasks/oom {"container_id":"c795…"}}. */
    private static Envelope envelope(String line, String namespace) {
        String[] fields = line.split(" ", 7);
        Message.Builder event = switch (fields[5]) {
            case "/tasks/start" -> TaskStart.newBuilder();
            case "/tasks/exit" -> TaskExit.newBuilder();
            case "/tasks/oom" -> TaskOOM.newBuilder();
            default -> TaskPaused.newBuilder();
        };
        try {
            JsonFormat.parser().merge(fields[6], event);
        } catch (InvalidProtocolBufferException e) {
            throw new UncheckedIOException(e);
        }
        Instant time = LocalDateTime.parse(fields[0] + "T" + fields[1]).toInstant(ZoneOffset.UTC);
        return Envelope.newBuilder()
                .setTimestamp(timestamp(time))
                .setNamespace(namespace)
                .setTopic(fields[5])
                .setEvent(Any.newBuilder()
                        .setTypeUrl("containerd.events.Task")
                        .setValue(event.build().toByteString()))
                .build();
    }

    private static Timestamp timestamp(Instant time) {
        return Timestamp.newBuilder()
                .setSeconds(time.getEpochSecond())
                .setNanos(time.getNano())
                .build();
    }

    @BeforeEach
    void makeTheNode() {
        PidNamespace.MACHINE.of(directory);
        containerd = new FakeCri(directory.resolve("cri.sock"));
        containerd.sandbox(POD, "cart-0", Map.of());
    }

    private void startAgent(RuntimeSockets sockets) {
        containerd.start();
        identities = new Identities(
                sockets,
                LabelFilter.DEFAULT,
                directory,
                ends,
                Instant.EPOCH,
                containerdLog,
                new Pace(
                        Duration.ofMillis(20),
                        Duration.ofSeconds(5),
                        Duration.ofMillis(5),
                        Duration.ofMinutes(5),
                        Duration.ofMinutes(5)),
                CLOCK,
                guard);
        identities.start();
    }

    private void startWithEvents() {
        containerd.serveContainerdEvents();
        startAgent(new RuntimeSockets(List.of(directory.resolve("cri.sock")), List.of()));
        Await.until("a subscriber", containerd::subscribers, count -> count == 1);
    }

    @AfterEach
    void end() throws InterruptedException {
        identities.close();
        containerd.close();
    }

    private void replay(String id, String namespace) {
        RECORDED.stream()
                .filter(line -> idOf(line).equals(id))
                .forEach(line -> containerd.tell(envelope(line, namespace)));
    }

    private static Instant exitedAt(String id) {
        return RECORDED.stream()
                .filter(line -> line.contains("/tasks/exit") && line.contains("\"id\":\"" + id))
                .map(line -> JsonParser.parseString(line.substring(line.indexOf('{')))
                        .getAsJsonObject()
                        .get("exited_at")
                        .getAsString())
                .map(Instant::parse)
                .findFirst()
                .orElseThrow();
    }

    private void awaitKnown(String id) {
        Await.until("container " + id, () -> identities.find(id), Optional::isPresent);
    }

    private Optional<SourceStatus> status() {
        return identities.status().stream()
                .filter(source -> source.getName().equals("containerd-events"))
                .findFirst();
    }

    @Test
    void theEndOfAPodsContainerHasItsCodePidAndNamesFromTwoSourcesAndIsOneEnd() {
        containerd.container(HAS_OOM, POD, "web", 1, ContainerState.CONTAINER_RUNNING, 0);
        startWithEvents();
        awaitKnown(HAS_OOM);
        replay(HAS_OOM, "k8s.io");

        End first = ends.await(HAS_OOM, Kind.DIE);
        assertThat(ToldEnds.words(first)).isEqualTo("OOM, DIE 137");
        assertThat(first.reported().getEvidenceList()).containsExactly(Evidence.CONTAINERD);
        assertThat(first.reported().getExitCode()).isEqualTo(137);
        assertThat(first.reported().getProcess().getPid()).isEqualTo(18967);
        assertThat(first.reported().getEndedAt()).isEqualTo(timestamp(exitedAt(HAS_OOM)));
        assertThat(first.reported().getContainer().getName()).isEqualTo("web");
        assertThat(first.reported().getContainer().getPod().getName()).isEqualTo("cart-0");

        containerd.exits(HAS_OOM, 137, "OOMKilled", exitedAt(HAS_OOM));
        End both = ends.await(HAS_OOM, end -> end.reported().getEvidenceCount() == 2);
        assertThat(both.reported().getEvidenceList()).containsExactly(Evidence.CONTAINERD, Evidence.CRI);
        assertThat(both.reported().hasStartedAt()).isTrue();
        assertThat(both.reported().getEndedAt()).isEqualTo(first.reported().getEndedAt());
        assertThat(ToldEnds.words(both)).as("the flag adds no second OOM").isEqualTo("OOM, DIE 137");
        assertThat(status())
                .hasValueSatisfying(events -> assertThat(events.getState()).isEqualTo(State.ACTIVE));
    }

    @Test
    void theEndOfASandboxIsNotTheEndOfAContainer() {
        containerd.sandbox(STOPPED, "cart-0", Map.of());
        containerd.container(PAUSED, POD, "web", 0, ContainerState.CONTAINER_RUNNING, 0);
        startWithEvents();
        awaitKnown(STOPPED);
        awaitKnown(PAUSED);
        replay(STOPPED, "k8s.io");
        replay(PAUSED, "k8s.io");

        assertThat(ToldEnds.words(ends.await(PAUSED, Kind.DIE))).isEqualTo("PAUSE, DIE 137");
        assertThat(ends.of(STOPPED)).isEmpty();
    }

    @Test
    void theContainersOfOtherClientsAreContainerdsAloneAndAnExecsEndIsNone() {
        startWithEvents();
        RECORDED.forEach(line -> containerd.tell(envelope(line, "default")));
        containerd.tell(envelope(RECORDED.getLast().replaceAll("[0-9a-f]{64}", "mine"), "default"));

        End last = ends.await("mine", Kind.DIE);
        assertThat(last.reported().getEvidenceList()).containsExactly(Evidence.CONTAINERD);
        assertThat(last.reported().getContainer().getRuntime()).isEqualTo("containerd");
        long exits =
                RECORDED.stream().filter(line -> line.contains("/tasks/exit")).count();
        assertThat(ends.all()).hasSizeLessThan((int) exits);
        assertThat(ends.all())
                .allSatisfy(end -> assertThat(end.reported().getExitCode()).isPositive());
        assertThat(ToldEnds.words(ends.of(CHILD_OOM).getLast())).isEqualTo("OOM, DIE 7");
        assertThat(ends.all().stream()
                        .filter(end -> end != last)
                        .map(end -> end.reported().getEndedAt()))
                .doesNotHaveDuplicates();
    }

    @Test
    void dockersContainersAreItsOwnWhereItIsLinkedAndContainerdsWhereItIsNot() throws Exception {
        containerd.serveContainerdEvents();
        try (FakeDocker docker = new FakeDocker(directory.resolve("docker.sock"))) {
            startAgent(new RuntimeSockets(
                    List.of(directory.resolve("cri.sock")), List.of(directory.resolve("docker.sock"))));
            Await.until(
                    "both", () -> containerd.subscribers() + docker.watched().size(), count -> count == 2);
            replay(HAS_OOM, "moby");
            replay(STOPPED, "default");
            ends.await(STOPPED, Kind.DIE);
            assertThat(ends.of(HAS_OOM)).as("Docker says it").isEmpty();

            docker.says("{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"" + HAS_OOM
                    + "\",\"Attributes\":{\"exitCode\":\"137\"}},\"timeNano\":1796003922980015033}");
            End end = ends.await(HAS_OOM, Kind.DIE);
            assertThat(end.reported().getEvidenceList()).containsExactly(Evidence.DOCKER);
            assertThat(end.reported().getProcess().getPid())
                    .as("from containerd")
                    .isEqualTo(18967);
        }
    }

    @Test
    void withoutDockersSocketItsContainersAreContainerds() {
        startWithEvents();
        replay(HAS_OOM, "moby");
        End end = ends.await(HAS_OOM, Kind.DIE);
        assertThat(end.reported().getContainer().getRuntime()).isEqualTo("docker");
        assertThat(end.reported().getEvidenceList()).containsExactly(Evidence.CONTAINERD);
    }

    @Test
    void anEventThatCannotBeReadIsCountedAndTheNextOneComes() {
        startWithEvents();
        containerd.tell(Envelope.newBuilder()
                .setTopic("/tasks/exit")
                .setEvent(Any.newBuilder().setValue(ByteString.copyFromUtf8("\377nonsense")))
                .build());
        replay(HAS_OOM, "default");
        ends.await(HAS_OOM, Kind.DIE);
        assertThat(guard.counts()).containsEntry("container-runtime", 1L);
        assertThat(status())
                .hasValueSatisfying(events -> assertThat(events.getDetail()).contains("1 events"));
    }

    // ---- nonsense

    private static Envelope exit(TaskExit.Builder exit, Instant told) {
        return Envelope.newBuilder()
                .setTimestamp(timestamp(told))
                .setNamespace("default")
                .setTopic("/tasks/exit")
                .setEvent(Any.newBuilder().setValue(exit.build().toByteString()))
                .build();
    }

    private static TaskExit.Builder exit(String id, int code) {
        return TaskExit.newBuilder()
                .setContainerId(id)
                .setId(id)
                .setPid(4711)
                .setExitStatus(code)
                .setExitedAt(timestamp(exitedAt(HAS_OOM)));
    }

    @Test
    void endsThatCannotBeAreCountedAndNothingIsInventedOfThem() {
        startWithEvents();
        Instant told = exitedAt(HAS_OOM);
        Instant future = CLOCK.instant().plusSeconds(3600);
        containerd.tell(exit(exit("", 137), told));
        containerd.tell(exit(exit("code", 4711), told));
        containerd.tell(exit(exit("negative", -1), told));
        containerd.tell(exit(exit("no-time", 1).clearExitedAt(), Instant.EPOCH));
        containerd.tell(exit(exit("zero", 2).setExitedAt(Timestamp.newBuilder().setSeconds(-62135596800L)), told));
        containerd.tell(exit(exit("future", 3).setExitedAt(timestamp(future)), told));
        containerd.tell(exit(exit("all-future", 4).setExitedAt(timestamp(future)), future));
        containerd.tell(
                exit(exit("beyond", 5).setExitedAt(Timestamp.newBuilder().setSeconds(Long.MAX_VALUE)), told));
        containerd.tell(exit(exit("last", 6), told));

        ends.await("last", Kind.DIE);
        assertThat(ends.all())
                .extracting(end -> end.reported().getContainer().getId())
                .containsExactlyInAnyOrder("zero", "future", "beyond", "last");
        assertThat(ends.all())
                .as("the time of the report stands for that of the end")
                .allSatisfy(end -> assertThat(end.reported().getEndedAt()).isEqualTo(timestamp(told)));
        assertThat(status())
                .hasValueSatisfying(events -> assertThat(events.getDetail()).contains("8 events"));
    }

    @Test
    void aStatusOfTheCriThatCannotBeIsCountedAndTheEndIsContainerds() {
        containerd.container(HAS_OOM, POD, "web", 1, ContainerState.CONTAINER_RUNNING, 0);
        containerd.container(STOPPED, POD, "future", 0, ContainerState.CONTAINER_RUNNING, 0);
        containerd.container(PAUSED, POD, "code", 0, ContainerState.CONTAINER_RUNNING, 0);
        startWithEvents();
        awaitKnown(HAS_OOM);
        containerd.exits(STOPPED, 137, "Error", CLOCK.instant().plusSeconds(3600));
        containerd.exits(PAUSED, 4711, "Error", exitedAt(HAS_OOM));
        Await.until(
                "both were asked about",
                () -> guard.counts().getOrDefault("container-runtime", 0L),
                count -> count >= 2);
        replay(HAS_OOM, "k8s.io");
        ends.await(HAS_OOM, Kind.DIE);
        assertThat(ends.of(STOPPED)).isEmpty();
        assertThat(ends.of(PAUSED)).isEmpty();
    }

    // ---- containerd's log

    private Path log() {
        return directory.resolve("containerd.log");
    }

    private void logs(Instant time, String message) throws IOException {
        Files.writeString(
                log(),
                "time=\"" + time.plusNanos(1) + "\" level=info msg=\"" + message.replace("\"", "\\\"") + "\"\n",
                StandardOpenOption.CREATE,
                StandardOpenOption.APPEND);
    }

    private void startWithLog() throws IOException {
        logs(exitedAt(STOPPED).minusSeconds(600), "starting containerd");
        containerdLog = log().toString();
        startWithEvents();
        awaitKnown(STOPPED);
        Await.until(
                "the log",
                () -> identities.status().stream()
                        .filter(source -> source.getName().equals("containerd-log"))
                        .filter(source -> source.getState() == State.ACTIVE)
                        .findFirst(),
                Optional::isPresent);
    }

    @Test
    void whatTheLogSaysOfAStopIsInTheFirstReportOfTheEnd() throws Exception {
        containerd.container(STOPPED, POD, "late", 0, ContainerState.CONTAINER_RUNNING, 0);
        startWithLog();
        Instant end = exitedAt(STOPPED);
        logs(end.minusMillis(2_030), "StopContainer for \"" + STOPPED + "\" with timeout 2 (s)");
        logs(end.minusMillis(2_020), "Stop container \"" + STOPPED + "\" with signal terminated");
        logs(end.minusMillis(11), "Kill container \"" + STOPPED + "\"");
        replay(STOPPED, "k8s.io");
        End told = ends.await(STOPPED, Kind.DIE);
        assertThat(ends.of(STOPPED).getFirst()).isEqualTo(told);
        assertThat(ToldEnds.words(told)).isEqualTo("STOP, KILL 15, KILL 9, DIE 137");
        assertThat(told.actions().getFirst().grace()).isEqualTo(Duration.ofSeconds(2));
        assertThat(told.logMissing()).isEmpty();
    }

    @Test
    void aKillAfterAStopOfThePodIsThatStops() throws Exception {
        containerd.container(STOPPED, POD, "late", 0, ContainerState.CONTAINER_RUNNING, 0);
        startWithLog();
        awaitKnown(POD);
        Instant end = exitedAt(STOPPED);
        logs(end.minusMillis(20), "StopPodSandbox for \"" + POD + "\"");
        logs(end.minusMillis(11), "Kill container \"" + STOPPED + "\"");
        replay(STOPPED, "k8s.io");
        assertThat(ToldEnds.words(ends.await(STOPPED, Kind.DIE))).isEqualTo("STOP_POD, KILL 9, DIE 137");
    }

    @Test
    void aLineThatComesLateIsJoinedAndARequestAfterTheEndIsNot() throws Exception {
        containerd.container(STOPPED, POD, "late", 0, ContainerState.CONTAINER_RUNNING, 0);
        startWithLog();
        replay(STOPPED, "k8s.io");
        assertThat(ToldEnds.words(ends.await(STOPPED, Kind.DIE))).isEqualTo("DIE 137");
        Instant end = exitedAt(STOPPED);
        logs(end.plusMillis(100), "StopContainer for \"" + STOPPED + "\" with timeout 30 (s)");
        logs(end.plusMillis(110), "Kill container \"" + STOPPED + "\"");
        logs(end.minusMillis(11), "Kill container \"" + STOPPED + "\"");
        End more = ends.await(STOPPED, told -> told.actions().size() > 1);
        assertThat(ToldEnds.words(more)).isEqualTo("KILL 9, DIE 137");
    }

    @Test
    void withoutALogAnEndOfTheCriSaysWhyNobodyKnowsWhoAsked() {
        containerd.container(STOPPED, POD, "late", 0, ContainerState.CONTAINER_RUNNING, 0);
        startWithEvents();
        awaitKnown(STOPPED);
        replay(STOPPED, "k8s.io");
        assertThat(ends.await(STOPPED, Kind.DIE).logMissing()).contains("--containerd-log=off");
    }

    // ---- the CRI alone, as of CRI-O

    private void startWithoutEvents() {
        startAgent(new RuntimeSockets(List.of(directory.resolve("cri.sock")), List.of()));
    }

    @Test
    void withoutAnyEventsTheListShowsAnEnd() {
        Instant finished = Instant.parse("2026-11-30T02:09:22.317330Z");
        containerd.container(STOPPED, POD, "oom", 0, ContainerState.CONTAINER_RUNNING, 0);
        startWithoutEvents();
        awaitKnown(STOPPED);
        containerd.exits(STOPPED, 137, "OOMKilled", finished);

        End end = ends.await(STOPPED, told -> true);
        assertThat(end.reported().getExitCode()).isEqualTo(137);
        assertThat(end.reported().getEvidenceList()).containsExactly(Evidence.CRI);
        assertThat(end.reported().getContainer().getName()).isEqualTo("oom");
        assertThat(ToldEnds.words(end)).as("CRI-O tells no OOM when it happens").isEqualTo("OOM");
        assertThat(status()).as("no containerd, no stream of its").isEmpty();
    }

    @Test
    void anOomKilledChildOfAContainerThatSucceededIsNoEnd() {
        containerd.container(STOPPED, POD, "childoom", 0, ContainerState.CONTAINER_RUNNING, 0);
        containerd.container(PAUSED, POD, "grace", 0, ContainerState.CONTAINER_RUNNING, 0);
        startWithoutEvents();
        awaitKnown(STOPPED);
        awaitKnown(PAUSED);
        containerd.exits(STOPPED, 0, "OOMKilled", Instant.parse("2026-11-30T02:09:24.198592Z"));
        containerd.exits(PAUSED, 137, "Error", Instant.parse("2026-11-30T02:09:25Z"));
        ends.await(PAUSED, told -> true);
        int asked = containerd.statuses();
        Await.until("further lists", containerd::statuses, now -> now >= asked);
        assertThat(ends.of(STOPPED)).isEmpty();
    }

    @Test
    void aStopThatTheRuntimeTellsOfComesWithoutAnotherQuestion() {
        containerd.serveEvents();
        containerd.container(STOPPED, POD, "grace", 0, ContainerState.CONTAINER_RUNNING, 0);
        startWithoutEvents();
        awaitKnown(STOPPED);
        Await.until("a watcher", containerd::watchers, count -> count == 1);
        ContainerStatus status = containerd.exits(STOPPED, 143, "Error", Instant.parse("2026-11-30T02:09:20.563100Z"));
        containerd.remove(STOPPED);
        containerd.tell(ContainerEventType.CONTAINER_STOPPED_EVENT, POD, status);
        containerd.tell(ContainerEventType.CONTAINER_STOPPED_EVENT, STOPPED, status);

        End end = ends.await(STOPPED, told -> true);
        assertThat(end.reported().getExitCode()).isEqualTo(143);
        assertThat(end.reported().getContainer().getPod().getName()).isEqualTo("cart-0");
        assertThat(ends.of(STOPPED)).hasSize(1);
    }
}
