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
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
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

    private final Guard guard = new Guard();
    private final ToldEnds ends = new ToldEnds();
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
                new Pace(
                        Duration.ofMillis(20),
                        Duration.ofSeconds(5),
                        Duration.ofMillis(5),
                        Duration.ofMinutes(5),
                        Duration.ofMinutes(5)),
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
