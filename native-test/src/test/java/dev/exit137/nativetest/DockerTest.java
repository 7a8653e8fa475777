package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.nativetest.DockerEngine.Container;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import dev.exit137.proto.v1.SourceStatus.State;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A plain Docker host: real containers of a real engine on this machine's own kernel. */
@Tag("kernel")
@Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DockerTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static final String MEMORY = "--memory=16m";

    private static Path out;
    private static DockerEngine engine;
    private static LiveAgent agent;

    @BeforeAll
    static void start() {
        skipWhereDockerCannotRun();
        out = Bed.freshDirectory("docker");
        try {
            engine = DockerEngine.start(out);
            agent = LiveAgent.startWithDocker(out.resolve("agent"), engine.socket());
            agent.awaitRuntime(State.ACTIVE);
        } catch (RuntimeException | AssertionError e) {
            end();
            throw e;
        }
    }

    static void skipWhereDockerCannotRun() {
        String bed = "containers of a Docker Engine";
        if (!System.getProperty("user.name").equals("root")) {
            Bed.skip(bed, "not root, so an engine cannot run here");
        }
        for (String program : List.of("dockerd", "docker", "containerd", "runc", "busybox")) {
            if (Bed.find(program).isEmpty()) {
                Bed.skip(bed, "no " + program + " on PATH; on Debian: apt-get install docker.io busybox-static");
            }
        }
        if (!Files.isReadable(Path.of("/dev/kmsg"))) {
            Bed.skip(bed, "/dev/kmsg is not readable");
        }
    }

    @AfterAll
    static void end() {
        Bed.close(agent, engine);
    }

    @Test
    void serviceOfAComposeProjectHasItsNameImageAndLabels() {
        Container web = engine.start(
                "cart-web-1",
                Pods.EATS,
                MEMORY,
                "--label=com.docker.compose.project=cart",
                "--label=com.docker.compose.service=web",
                "--label=token=secret");
        web.open();

        OomKillEvent event = onlyEvent(web);
        assertNames(event, web);
        assertThat(event.getComposeLabelsMap())
                .isEqualTo(Map.of("com.docker.compose.project", "cart", "com.docker.compose.service", "web"));
        assertThat(event.getVictim().getPid()).isEqualTo(web.mainPid());
        assertThat(event.getVictim().getIsContainerInit()).isTrue();
        assertThat(event.getIncident().getLimit().getOwner()).isEqualTo(Limit.Owner.CONTAINER);
        assertThat(event.getIncident().getLimit().getLimitBytes()).isEqualTo(16L << 20);
        assertThat(event.getContainer().hasPod()).isFalse();
        assertThat(event.getExplanation()).contains("container cart-web-1", "so the container ended");
        Bed.await("the end of " + web, LIMIT, () -> engine.isRunning(web), running -> !running);
        engine.remove(web);
    }

    @Test
    void childOfAContainerThatLivesOnIsNotItsMainProcess() {
        Container worker = engine.start("worker", Pods.ITS_CHILD_EATS, MEMORY);
        worker.open();

        OomKillEvent event = onlyEvent(worker);
        assertNames(event, worker);
        assertThat(event.getVictim().getPid()).isNotEqualTo(worker.mainPid());
        assertThat(event.getVictim().getIsContainerInit()).isFalse();
        OomKillEvent later = agent.await(
                        "its fate", worker.cgroup(), each -> each.getVictim().hasContainerOutlived())
                .getLast();
        assertThat(later.getExplanation()).contains("the container lives on");
        assertThat(engine.isRunning(worker)).isTrue();
        engine.remove(worker);
    }

    @Test
    void containerThatIsKilledAsItsFirstActAndRemovedAtOnceIsNeverAnothers() {
        Container hasty = engine.launch("hasty", Pods.EATS_AT_ONCE, MEMORY, "--rm");

        OomKillEvent event = agent.await("the death of " + hasty, hasty.cgroup(), any -> true)
                .getLast();
        assertThat(event.getContainer().getRuntime()).isEqualTo("docker");
        assertThat(event.getContainer().getId()).isEqualTo(hasty.id());
        assertThat(event.getContainer().getName())
                .as("its own, or none where the engine had no time to say")
                .isIn("hasty", "");
    }

    /** An agent that starts while the engine hangs knows no container. */
    @Test
    void engineThatHangsDelaysNoEventAndNamesItLater() {
        Container late = engine.start("late", Pods.ITS_CHILD_EATS, MEMORY);
        engine.hang();
        try (LiveAgent fresh = LiveAgent.startWithDocker(out.resolve("fresh-agent"), engine.socket())) {
            try {
                late.open();
                OomKillEvent byPath = fresh.await("an event by its path", late.cgroup(), event -> true)
                        .getFirst();
                assertThat(byPath.getRevision()).isEqualTo(1);
                assertThat(byPath.getContainer().getId()).isEqualTo(late.id());
                assertThat(byPath.getContainer().getName()).isEmpty();
                assertThat(fresh.awaitRuntime(State.UNAVAILABLE).getDetail())
                        .contains(engine.socket().toString());
            } finally {
                engine.goOn();
            }
            OomKillEvent named = fresh.await("its name", late.cgroup(), event -> event.getRevision() == 2)
                    .getLast();
            assertNames(named, late);
            assertThat(named.getVictim().getIsContainerInit()).isFalse();
            fresh.awaitRuntime(State.ACTIVE);
        }
        agent.awaitRuntime(State.ACTIVE);
        engine.remove(late);
    }

    @Test
    void killsWhileTheEngineIsRestartedAndAfterHaveTheirNames() {
        Container old = engine.start("old", Pods.ITS_CHILD_EATS, MEMORY);
        engine.restart();
        old.open();
        assertNames(onlyEvent(old), old);
        agent.awaitRuntime(State.ACTIVE);

        Container fresh = engine.start("fresh", Pods.EATS, MEMORY);
        fresh.open();
        assertNames(onlyEvent(fresh), fresh);
        engine.remove(old);
        engine.remove(fresh);
    }

    private static OomKillEvent onlyEvent(Container container) {
        List<OomKillEvent> events = Bed.await(
                "what is to be told of " + container,
                LIMIT,
                () -> new Events(agent.received())
                        .latest().stream()
                                .filter(event -> event.getCgroupPath().equals(container.cgroup()))
                                .toList(),
                seen -> seen.stream().anyMatch(event -> event.getEvidenceList().contains(Evidence.CRI)));
        assertThat(events).hasSize(1);
        return events.getFirst();
    }

    private static void assertNames(OomKillEvent event, Container container) {
        assertThat(event.getCgroupPath()).isEqualTo(container.cgroup());
        assertThat(event.getContainer().getRuntime()).isEqualTo("docker");
        assertThat(event.getContainer().getId()).isEqualTo(container.id());
        assertThat(event.getContainer().getName()).isEqualTo(container.name());
        assertThat(event.getContainer().getImage()).isEqualTo(Containerd.IMAGE);
    }
}
