package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.agent.container.Identities;
import dev.exit137.agent.container.LabelFilter;
import dev.exit137.agent.container.RuntimeSockets;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.exitreport.facts.End;
import dev.exit137.nativetest.DockerEngine.Container;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the agent learns of ends from a real Docker Engine, and from the engine's own containerd. */
@Tag("kernel")
@Timeout(value = 10, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DockerEndsOnHostTest {
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final String IGNORES_TERM = "trap '' TERM; while :; do sleep 0.1; done";
    private static final List<End> ENDS = new CopyOnWriteArrayList<>();
    private static final Guard GUARD = new Guard();

    private static DockerEngine engine;
    private static Identities identities;

    @BeforeAll
    static void start() {
        DockerTest.skipWhereDockerCannotRun();
        try {
            engine = DockerEngine.start(Bed.freshDirectory("docker-ends"));
            identities = new Identities(
                    new RuntimeSockets(List.of(engine.containerdSocket()), List.of(engine.socket())),
                    LabelFilter.DEFAULT,
                    Path.of("/proc"),
                    ENDS::add,
                    Instant.now(),
                    GUARD);
            identities.start();
            Bed.await(
                    "the streams",
                    LIMIT,
                    () -> identities.status().toString(),
                    status -> status.contains("docker-events") && status.contains("containerd-events"));
        } catch (RuntimeException | AssertionError e) {
            end();
            throw e;
        }
    }

    @AfterAll
    static void end() {
        Bed.close(identities, engine);
    }

    private static Container run(String name, String script, String... options) {
        Container container = engine.start(name, script, options);
        Bed.await(
                "the main pid of " + name,
                LIMIT,
                () -> identities.find(container.id()),
                known -> known.filter(identity -> identity.mainPid() != null).isPresent());
        return container;
    }

    private static String actions(End end) {
        return String.join(
                ", ",
                end.actions().stream()
                        .map(action -> action.kind()
                                + (action.signal() == null ? "" : " " + action.signal())
                                + (action.exitCode() == null ? "" : " " + action.exitCode()))
                        .toList());
    }

    /** Returns the end once it has these actions. */
    private static ExitEvent await(Container container, String actions) {
        List<End> ends = Bed.await(
                actions + " of " + container,
                LIMIT,
                () -> ENDS.stream()
                        .filter(end -> end.reported().getContainer().getId().equals(container.id()))
                        .toList(),
                all -> !all.isEmpty() && actions(all.getLast()).equals(actions));
        assertThat(ends.stream().map(end -> end.reported().getEndedAt()).distinct())
                .as("one end")
                .hasSize(1);
        return ends.getLast().reported();
    }

    private static void assertNames(ExitEvent event, Container container) {
        assertThat(event.getContainer().getName()).isEqualTo(container.name());
        assertThat(event.getContainer().getImage()).isEqualTo(Containerd.IMAGE);
        assertThat(event.getProcess().getPid()).isEqualTo(container.mainPid());
        assertThat(event.getEvidenceList()).containsExactly(Evidence.DOCKER);
        assertThat(event.getSettings().getInitProgram()).isEqualTo("sh");
    }

    @Test
    void stopThatIsIgnoredIsAStopAfterItsGrace() {
        Container slow = run("slow", IGNORES_TERM);
        engine.stop(slow, 1);
        ExitEvent event = await(slow, "KILL 15, KILL 9, DIE 137, STOP");
        assertNames(event, slow);
        assertThat(event.getExitCode()).isEqualTo(137);
        assertThat(event.hasStartedAt()).isTrue();
        engine.remove(slow);
    }

    @Test
    void killByAClientIsNoStop() {
        Container killed = run("killed", IGNORES_TERM);
        engine.kill(killed);
        assertNames(await(killed, "KILL 9, DIE 137"), killed);
        engine.remove(killed);
    }

    @Test
    void removalByForceKillsAndLeavesNothingToAskAbout() {
        Container removed = run("removed", IGNORES_TERM);
        engine.remove(removed);
        ExitEvent event = await(removed, "KILL 9, DIE 137, DESTROY");
        assertThat(event.getExitCode()).isEqualTo(137);
        assertThat(event.getContainer().getName()).isEqualTo("removed");
        assertThat(event.getProcess().getPid()).isEqualTo(removed.mainPid());
    }

    @Test
    void oomComesBeforeTheEnd() {
        Container eats = run("eats", Pods.EATS, "--memory=16m");
        eats.open();
        ExitEvent event = await(eats, "OOM, DIE 137");
        assertNames(event, eats);
        assertThat(event.getSettings().getMemoryLimitBytes()).isEqualTo(16 << 20);
        engine.remove(eats);
    }

    @Test
    void killFromTheHostHasNoActionOfDocker() {
        Container hit = run("hit", IGNORES_TERM);
        ProcessHandle.of(hit.mainPid()).map(ProcessHandle::destroyForcibly).orElseThrow();
        assertNames(await(hit, "DIE 137"), hit);
        engine.remove(hit);
    }

    @Test
    void endOfTheShimIsSaidTwoWays() {
        Container orphan = run("orphan", IGNORES_TERM);
        Optional<ProcessHandle> shim = ProcessHandle.of(orphan.mainPid()).flatMap(ProcessHandle::parent);
        assertThat(shim.orElseThrow().info().command().orElse("")).contains("shim");
        shim.get().destroyForcibly();
        ExitEvent event = await(orphan, "DIE 255");
        assertThat(event.getExitCode()).isIn(137, 255);
        engine.remove(orphan);
    }

    @Test
    void programThatIsNotThereNeverStarted() {
        String id = engine.fails("nowhere", "/no/such/program");
        List<End> ends = Bed.await(
                "the failure to start",
                LIMIT,
                () -> ENDS.stream()
                        .filter(end -> end.reported().getContainer().getId().equals(id))
                        .toList(),
                all -> !all.isEmpty());
        assertThat(ends.getFirst().reported().getExitCode()).isEqualTo(127);
        assertThat(ends.getFirst().reported().hasStartedAt()).isFalse();
    }
}
