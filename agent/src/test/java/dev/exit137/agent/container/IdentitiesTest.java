package dev.exit137.agent.container;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.agent.Await;
import dev.exit137.agent.PidNamespace;
import dev.exit137.agent.container.Identities.Pace;
import dev.exit137.agent.exit.EndListener;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.cri.v1.ContainerEventType;
import dev.exit137.proto.cri.v1.ContainerState;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IdentitiesTest {
    private static final String ID = "4f0c".repeat(16);
    private static final String OTHER = "a1b2".repeat(16);
    private static final String POD = "beef".repeat(16);
    private static final Duration LONG = Duration.ofMinutes(5);

    @TempDir
    private Path directory;

    private Path socket;
    private FakeCri cri;
    private Identities identities;

    @BeforeEach
    void makeTheNode() {
        PidNamespace.MACHINE.of(directory);
        socket = directory.resolve("cri.sock");
        cri = new FakeCri(socket);
        cri.sandbox(POD, "cart-0", Map.of("app", "cart", "app.kubernetes.io/part-of", "shop", "secret", "s3cr3t"));
        identities = identities(LONG);
    }

    private Identities identities(Duration patience) {
        return new Identities(
                new RuntimeSockets(List.of(socket), List.of()),
                LabelFilter.DEFAULT,
                directory,
                EndListener.NONE,
                Instant.MAX,
                ContainerdLog.OFF,
                new Pace(Duration.ofMillis(20), Duration.ofMillis(500), Duration.ofMillis(5), patience, LONG),
                InstantSource.system(),
                new Guard());
    }

    @AfterEach
    void endEverything() throws Exception {
        identities.close();
        cri.close();
    }

    private void process(int pid, String containerId) throws IOException {
        Path file = directory.resolve(Integer.toString(pid)).resolve("cgroup");
        Files.createDirectories(file.getParent());
        Files.writeString(file, "0::/kubepods.slice/cri-containerd-" + containerId + ".scope\n");
    }

    private Identity awaitKnown(String id) {
        return Await.until("container " + id, () -> identities.find(id), Optional::isPresent)
                .orElseThrow();
    }

    private Identity awaitMainPid(String id) {
        return Await.until(
                        "the main pid of " + id,
                        () -> identities.find(id),
                        found -> found.filter(Identity::isWhole).isPresent())
                .orElseThrow();
    }

    private SourceStatus awaitState(State state) {
        return Await.until(
                        "cri " + state,
                        identities::status,
                        all -> all.getFirst().getState() == state)
                .getFirst();
    }

    @Test
    void whatRunsAtTheStartIsKnownWithItsPodBeforeAnythingHappensToIt() throws Exception {
        process(4711, ID);
        cri.container(ID, POD, "web", 2, ContainerState.CONTAINER_RUNNING, 4711);
        cri.start();
        identities.start();

        Identity identity = awaitMainPid(ID);
        Container container = identity.container();
        assertThat(container.getRuntime()).isEqualTo("containerd");
        assertThat(container.getId()).isEqualTo(ID);
        assertThat(container.getName()).isEqualTo("web");
        assertThat(container.getAttempt()).isEqualTo(2);
        assertThat(container.getImage()).isEqualTo("docker.io/library/web");
        assertThat(container.getPod().getName()).isEqualTo("cart-0");
        assertThat(container.getPod().getNamespace()).isEqualTo("shop");
        assertThat(container.getPod().getUid()).isEqualTo("uid-of-cart-0");
        assertThat(container.getPod().getLabelsMap())
                .isEqualTo(Map.of("app", "cart", "app.kubernetes.io/part-of", "shop"));
        assertThat(identity.mainPid()).isEqualTo(4711);
        assertThat(awaitKnown(POD).container().getPod().getName()).isEqualTo("cart-0");
        assertThat(awaitState(State.ACTIVE).getDetail()).isEmpty();
    }

    @Test
    void aCgroupThatIsThereBeforeTheRuntimeListsItsContainerIsAskedAboutAgain() throws Exception {
        cri.start();
        identities.start();
        awaitState(State.ACTIVE);

        CompletableFuture<Identity> answer = identities.lookUp(ID);
        identities.onContainerCgroup(ID);
        cri.container(ID, POD, "web", 0, ContainerState.CONTAINER_CREATED, 0);
        assertThat(awaitKnown(ID).container().getName()).isEqualTo("web");
        assertThat(answer).as("it has no main process yet").isNotDone();

        process(4712, ID);
        cri.container(ID, POD, "web", 0, ContainerState.CONTAINER_RUNNING, 4712);
        assertThat(answer.get(60, TimeUnit.SECONDS).mainPid()).isEqualTo(4712);
        assertThat(identities.find(ID).orElseThrow().mainPid()).isEqualTo(4712);
    }

    @Test
    void aContainerThatNoRuntimeKnowsIsGivenUpAndSaidSo() throws Exception {
        identities.close();
        identities = identities(Duration.ZERO);
        cri.start();
        identities.start();
        awaitState(State.ACTIVE);

        CompletableFuture<Identity> answer = identities.lookUp(ID);
        Await.until("the end of the question", answer::isCompletedExceptionally, failed -> failed);
        assertThat(answer.exceptionNow()).hasMessage("no container runtime knows it");
    }

    @Test
    void withoutASocketTheStateSaysWhereItWasLookedForAndARuntimeThatComesLaterIsFound() throws Exception {
        identities.start();
        assertThat(awaitState(State.UNAVAILABLE).getDetail()).contains(socket.toString());

        cri.container(ID, POD, "web", 0, ContainerState.CONTAINER_EXITED, 0);
        cri.start();
        assertThat(awaitKnown(ID).container().getName()).isEqualTo("web");
        awaitState(State.ACTIVE);
    }

    @Test
    void aRuntimeThatHangsIsSeenHangingAndAnswersLateWhenItGoesOn() throws Exception {
        cri.start();
        identities.start();
        awaitState(State.ACTIVE);
        cri.keepSilent(true);
        cri.container(ID, POD, "web", 0, ContainerState.CONTAINER_EXITED, 0);

        CompletableFuture<Identity> answer = identities.lookUp(ID);
        assertThat(awaitState(State.DEGRADED).getDetail()).contains("does not answer in time");
        int before = cri.unanswered();
        Await.until("another attempt", cri::unanswered, now -> now > before);
        assertThat(answer).isNotDone();

        cri.keepSilent(false);
        assertThat(answer.get(60, TimeUnit.SECONDS).container().getName()).isEqualTo("web");
        awaitState(State.ACTIVE);
    }

    @Test
    void aRuntimeThatHangsFromTheStartIsUnavailable() throws Exception {
        cri.keepSilent(true);
        cri.start();
        identities.start();

        Await.until(
                "the state",
                identities::status,
                all -> all.getFirst().getDetail().contains("does not answer in time"));
        awaitState(State.UNAVAILABLE);
    }

    @Test
    void whileARuntimeRestartsItsContainersAreStillKnownAndTheNewOnesAreLearntAfterwards() throws Exception {
        cri.container(ID, POD, "web", 0, ContainerState.CONTAINER_EXITED, 0);
        cri.start();
        identities.start();
        awaitKnown(ID);

        cri.stop();
        CompletableFuture<Identity> answer = identities.lookUp(OTHER);
        assertThat(awaitState(State.DEGRADED).getDetail()).contains("socket is gone");
        assertThat(identities.find(ID)).isPresent();
        assertThat(answer).isNotDone();

        cri.container(OTHER, POD, "sidecar", 0, ContainerState.CONTAINER_EXITED, 0);
        cri.start();
        assertThat(answer.get(60, TimeUnit.SECONDS).container().getName()).isEqualTo("sidecar");
    }

    @Test
    void aStartThatTheRuntimeTellsOfIsLearntWithoutACgroup() throws Exception {
        cri.serveEvents();
        cri.start();
        identities.start();
        Await.until("the event stream", cri::watchers, now -> now > 0);

        cri.container(ID, POD, "web", 0, ContainerState.CONTAINER_EXITED, 0);
        cri.tell(ContainerEventType.CONTAINER_STARTED_EVENT, ID);
        assertThat(awaitKnown(ID).container().getName()).isEqualTo("web");
    }

    @Test
    void aPidThatIsNotInTheContainerHereIsNotItsMainPid() throws Exception {
        // The runtime runs in a pid namespace of its own: 4711 is another process to the kernel's log.
        process(4711, OTHER);
        cri.container(ID, POD, "web", 0, ContainerState.CONTAINER_RUNNING, 4711);
        cri.start();
        identities.start();

        // The second question comes after the first answer was looked at.
        Await.until("another question for the pid", cri::statuses, asked -> asked > 1);
        assertThat(awaitKnown(ID).mainPid()).isNull();
    }

    /** As on kind: the runtime and procfs agree on a pid, which is another process to the kernel's log. */
    @Test
    void aPidOfANodeThatIsAContainerItselfIsNotItsMainPid() throws Exception {
        PidNamespace.NODE_IN_A_CONTAINER.of(directory);
        process(4711, ID);
        cri.container(ID, POD, "web", 0, ContainerState.CONTAINER_RUNNING, 4711);
        cri.start();
        identities.start();

        // The second question comes after the first answer was looked at.
        Await.until("another question for the pid", cri::statuses, asked -> asked > 1);
        assertThat(awaitKnown(ID).mainPid()).isNull();
    }

    @Test
    void aMainPidThatIsNeverLearntDoesNotKeepTheNameBack() throws Exception {
        identities.close();
        identities = identities(Duration.ZERO);
        process(4711, OTHER);
        cri.container(ID, POD, "web", 0, ContainerState.CONTAINER_RUNNING, 4711);
        cri.start();
        identities.start();
        awaitKnown(ID);

        Identity known = identities.lookUp(ID).get(60, TimeUnit.SECONDS);
        assertThat(known.container().getName()).isEqualTo("web");
        assertThat(known.mainPid()).isNull();
    }
}
