package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.nativetest.Pods.Container;
import dev.exit137.nativetest.Pods.Pod;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import dev.exit137.proto.v1.QosClass;
import dev.exit137.proto.v1.SourceStatus.State;
import dev.exit137.proto.v1.Task;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;

/** Kills in real pods of a real containerd, on this machine's own kernel: the product's events must match them. */
@Tag("kernel")
@Timeout(value = 40, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class ContainersTest {
    /** The hierarchy with the memory controller: cgroup v1's, if v1 has it. */
    static final Path MEMORY = Stream.of(Path.of("/sys/fs/cgroup/memory"), Path.of("/sys/fs/cgroup"))
            .filter(root -> Files.exists(root.resolve("cgroup.procs")))
            .findFirst()
            .orElse(Path.of("/sys/fs/cgroup"));

    private static final long LIMIT_BYTES = 16L << 20;
    private static final Duration LIMIT = Duration.ofMinutes(3);
    /** Number of pods that are killed at once; a slow node has fewer. */
    private static final int STORM = 60;

    private static Path out;
    private static Containerd containerd;
    private static Pods pods;
    private static LiveAgent agent;

    @BeforeAll
    static void start() {
        skipWhereContainerdCannotRun("containers of a real runtime");
        out = Bed.freshDirectory("containers");
        try {
            containerd = Containerd.start(out);
            pods = new Pods(
                    containerd,
                    MEMORY,
                    "/exit137-bed-" + ProcessHandle.current().pid());
            agent = LiveAgent.start(out.resolve("agent"), containerd.socket());
            agent.awaitRuntime(State.ACTIVE);
        } catch (RuntimeException | AssertionError e) {
            end();
            throw e;
        }
    }

    static void skipWhereContainerdCannotRun(String bed) {
        if (!System.getProperty("user.name").equals("root")) {
            Bed.skip(bed, "not root, so containerd cannot run here");
        }
        for (String program : List.of("containerd", "ctr", "runc", "busybox")) {
            if (Bed.find(program).isEmpty()) {
                Bed.skip(bed, "no " + program + " on PATH; on Debian: apt-get install containerd runc busybox-static");
            }
        }
        if (!Files.isWritable(MEMORY.resolve("cgroup.procs"))) {
            Bed.skip(bed, "no writable cgroup hierarchy at " + MEMORY);
        }
        if (!Files.isReadable(Path.of("/dev/kmsg"))) {
            Bed.skip(bed, "/dev/kmsg is not readable");
        }
    }

    @AfterAll
    static void end() {
        Bed.close(pods, agent, containerd);
    }

    @Test
    void ofTwoContainersOfAPodTheOneThatDiedIsNamed() {
        Pod pod = pods.make("cart");
        Container sidecar = pods.start(pod, "sidecar", LIMIT_BYTES, Pods.WAITS);
        Container app = pods.start(pod, "app", LIMIT_BYTES, Pods.EATS);
        app.open();

        OomKillEvent event = onlyEvent(app);
        assertNames(event, app);
        assertKilledAtLimit(event, app, Limit.Owner.CONTAINER, app.cgroup(), LIMIT_BYTES);
        assertThat(event.getVictim().getPid()).isEqualTo(app.mainPid());
        assertThat(event.getVictim().getIsContainerInit()).isTrue();
        assertThat(event.getExplanation())
                .contains("container app of pod bed/cart (image " + Containerd.IMAGE
                        + ") reached its memory limit of 16.0 MiB");
        awaitDeath(app);
        assertThat(containerd.isRunning(sidecar.id())).isTrue();
        assertThat(agent.received()).extracting(e -> e.getContainer().getId()).doesNotContain(sidecar.id());
        pods.remove(pod);
    }

    @Test
    void childOfAContainerThatLivesOnIsNotItsMainProcessAndTheNextVictimIs() {
        Pod pod = pods.make("web");
        Container app = pods.start(pod, "app", LIMIT_BYTES, Pods.ITS_CHILD_EATS_THEN_IT_DOES);
        app.open();

        OomKillEvent child = agent.await(
                        "a child's death", app.cgroup(), e -> e.getVictim().hasContainerOutlived())
                .getLast();
        assertNames(child, app);
        assertKilledAtLimit(child, app, Limit.Owner.CONTAINER, app.cgroup(), LIMIT_BYTES);
        assertThat(child.getVictim().getPid()).isNotEqualTo(app.mainPid());
        assertThat(child.getVictim().getIsContainerInit()).isFalse();
        assertThat(child.getExplanation()).contains("the container lives on, and Kubernetes does not show this kill");
        assertThat(containerd.isRunning(app.id())).isTrue();

        app.open();
        OomKillEvent main = events(app, 2).stream()
                .filter(event -> event.getVictim().getPid() == app.mainPid())
                .findFirst()
                .orElseThrow();
        assertThat(main.getVictim().getIsContainerInit()).isTrue();
        assertThat(main.getExplanation()).contains("It was the container's main process, so the container ended.");
        assertThat(main.getWorkloadHistory().getWorkload()).isEqualTo("bed/web/app");
        assertThat(main.getWorkloadHistory().getOoms()).isEqualTo(2);
        assertThat(main.getExplanation())
                .contains(
                        " It is the 2nd OOM kill of this workload on this node in ",
                        ", each at its limit of 16.0 MiB.");
        awaitDeath(app);
        pods.remove(pod);
    }

    @Test
    void limitOfAPodIsThePods() {
        Pod pod = pods.make("job", OptionalLong.of(LIMIT_BYTES));
        Container app = pods.start(pod, "app", 0, Pods.EATS);
        app.open();

        OomKillEvent event = onlyEvent(app);
        assertNames(event, app);
        assertKilledAtLimit(event, app, Limit.Owner.POD, pod.cgroup(), LIMIT_BYTES);
        assertThat(event.getVictim().getIsContainerInit()).isTrue();
        assertThat(event.getExplanation())
                .contains("in container app of pod bed/job (image " + Containerd.IMAGE + ")")
                .contains("because pod bed/job, above it, reached its memory limit of 16.0 MiB");
        pods.remove(pod);
    }

    /** With kubelet's oom_score_adj, a container that requested little is killed before one that requested much. */
    @Test
    void limitOfAPodKillsAContainerThatHoldsLittleBesideOneThatHoldsMuch() {
        Pod pod = pods.make("shared", OptionalLong.of(3 * LIMIT_BYTES));
        Container holder = pods.start(pod, "holder", 0, Pods.HOLDS, 100);
        Bed.await("what the holder holds", LIMIT, () -> memoryOf(holder), bytes -> bytes > Pods.HELD_BYTES);
        Container sidecar = pods.start(pod, "sidecar", 0, Pods.EATS, 999);
        sidecar.open();

        OomKillEvent event = onlyEvent(sidecar);
        assertNames(event, sidecar);
        assertKilledAtLimit(event, sidecar, Limit.Owner.POD, pod.cgroup(), 3 * LIMIT_BYTES);
        assertThat(event.getVictim().getOomScoreAdj()).isEqualTo(999);
        assertThat(event.getExplanation())
                .contains("in container sidecar of pod bed/shared")
                .contains("because pod bed/shared, above it, reached its memory limit of 48.0 MiB")
                .contains("most of it held by dd (pid ")
                .contains("in container holder of the same pod.");
        assertThat(event.getRecommendationsList())
                .anyMatch(
                        advice -> advice.startsWith("Look at everything that shares the limit, not only at the victim"))
                .anyMatch(advice -> advice.startsWith("Check that oom_score_adj says what should go first"));
        agent.awaitCounted(
                "exit137_innocent_victim_kills_total{container=\"sidecar\",limit_owner=\"pod\",namespace=\"bed\",scope=\"memcg\","
                        + "workload=\"shared\"}",
                1);
        assertThat(containerd.isRunning(holder.id())).isTrue();
        assertThat(agent.received()).extracting(e -> e.getContainer().getId()).doesNotContain(holder.id());
        pods.remove(pod);
    }

    private static long memoryOf(Container container) {
        Path usage = Path.of(MEMORY + container.cgroup(), pods.isV2() ? "memory.current" : "memory.usage_in_bytes");
        return Long.parseLong(Bed.lines(usage).getFirst());
    }

    @Test
    void containerThatIsKilledAsItsFirstActHasItsName() {
        Pod pod = pods.make("hasty");
        Container app = pods.launch(pod, "app", LIMIT_BYTES, Pods.EATS_AT_ONCE);

        assertNames(onlyEvent(app), app);
        pods.remove(pod);
    }

    @Test
    void containerRemovedAtOnceAfterItsDeathHasItsNameAndStaysCounted() {
        Pod pod = pods.make("brief");
        Container app = pods.start(pod, "gone", LIMIT_BYTES, Pods.EATS);
        app.open();
        awaitDeath(app);
        pods.remove(pod);

        OomKillEvent event = onlyEvent(app);
        assertNames(event, app);
        assertThat(event.getVictim().hasIsContainerInit() && !event.getVictim().getIsContainerInit())
                .as("unknown, where the runtime had no time to say: never wrong")
                .isFalse();
        agent.awaitCounted(
                "exit137_oom_kills_total{container=\"gone\",limit_owner=\"container\",namespace=\"bed\",scope=\"memcg\","
                        + "workload=\"brief\"}",
                1);
    }

    @Test
    void namesThatAreKnownNeedNoRuntimeThatAnswers() {
        Pod pod = pods.make("steady");
        Container app = pods.start(pod, "app", LIMIT_BYTES, Pods.ITS_CHILD_EATS);
        app.open();
        assertNames(onlyEvent(app), app);
        containerd.hang();
        try {
            app.open();
            assertThat(events(app, 2)).allSatisfy(event -> assertNames(event, app));
        } finally {
            containerd.goOn();
        }
        agent.awaitRuntime(State.ACTIVE);
        pods.remove(pod);
    }

    /** An agent that starts while the runtime hangs knows no container. */
    @Test
    void runtimeThatHangsDelaysNoEventAndNamesItLater() {
        Pod pod = pods.make("late");
        Container app = pods.start(pod, "app", LIMIT_BYTES, Pods.ITS_CHILD_EATS);
        containerd.hang();
        try (LiveAgent fresh = LiveAgent.start(out.resolve("fresh-agent"), containerd.socket())) {
            try {
                app.open();
                OomKillEvent byPath = fresh.await("an event by its path", app.cgroup(), event -> true)
                        .getFirst();
                assertThat(byPath.getRevision()).isEqualTo(1);
                assertThat(byPath.getContainer().getId()).isEqualTo(app.id());
                assertThat(byPath.getContainer().getName()).isEmpty();
                assertThat(byPath.getContainer().getPod().getUid()).isEqualTo(pod.uid());
                assertThat(byPath.getContainer().getQosClass()).isEqualTo(QosClass.QOS_CLASS_BURSTABLE);
                assertThat(byPath.getVictim().getIsContainerInit()).isFalse();
                assertThat(byPath.getEvidenceList()).doesNotContain(Evidence.CRI);
                assertThat(fresh.awaitRuntime(State.UNAVAILABLE).getDetail())
                        .contains(containerd.socket().toString());
                containerd.goOn();

                OomKillEvent named = fresh.await("its name", app.cgroup(), event -> event.getRevision() == 2)
                        .getLast();
                assertThat(named.getEventId()).isEqualTo(byPath.getEventId());
                assertNames(named, app);
                assertThat(named.getVictim().getIsContainerInit()).isFalse();
                fresh.awaitRuntime(State.ACTIVE);
            } finally {
                containerd.goOn();
            }
        }
        agent.awaitRuntime(State.ACTIVE);
        pods.remove(pod);
    }

    @Test
    void killsWhileTheRuntimeIsStoppedAndAfterItsRestartHaveTheirNames() {
        Pod before = pods.make("before");
        Container old = pods.start(before, "app", LIMIT_BYTES, Pods.ITS_CHILD_EATS);
        old.open();
        assertThat(onlyEvent(old).getVictim().getIsContainerInit()).isFalse();
        containerd.stop();
        old.open();
        assertThat(events(old, 2)).allSatisfy(event -> assertNames(event, old));
        assertThat(agent.awaitRuntime(State.DEGRADED).getDetail())
                .contains(containerd.socket().toString());
        containerd.launch();
        agent.awaitRuntime(State.ACTIVE);

        Pod after = pods.make("after");
        Container fresh = pods.start(after, "app", LIMIT_BYTES, Pods.EATS);
        fresh.open();
        assertNames(onlyEvent(fresh), fresh);
        pods.remove(before);
        pods.remove(after);
    }

    /** Runs last: it uses up the reports that the kernel prints in five seconds. */
    @Test
    @Order(Integer.MAX_VALUE)
    void stormOfPodsCreatedKilledAndRemovedNamesNoWrongPod() throws Exception {
        Map<Integer, Container> victims =
                storm().stream().collect(Collectors.toMap(Container::mainPid, Function.identity()));
        assertThat(victims).hasSize(STORM);

        List<OomKillEvent> events = Bed.await(
                "an event for each of the storm",
                LIMIT,
                () -> latest().stream()
                        .filter(event -> !event.getRecovered()
                                && victims.containsKey(event.getVictim().getPid()))
                        .toList(),
                seen -> seen.size() >= STORM
                        && seen.stream()
                                .allMatch(
                                        event -> event.getContainer().getName().equals("app")
                                                || event.getCgroupPath().isEmpty()));
        assertThat(events).hasSize(STORM);
        List<OomKillEvent> unnamed =
                events.stream().filter(event -> event.getCgroupPath().isEmpty()).toList();
        System.out.println("a storm of " + STORM + " pods: " + unnamed.size() + " kills of unknown cgroup, "
                + events.stream()
                        .filter(event -> event.getVictim().getIsContainerInit())
                        .count() + " known as main processes");
        if (pods.isV2()) {
            assertThat(unnamed).isEmpty();
        }
        assertThat(unnamed).as("no name without a cgroup").noneMatch(OomKillEvent::hasContainer);
        assertThat(events).filteredOn(event -> !event.getCgroupPath().isEmpty()).allSatisfy(event -> {
            assertNames(event, victims.get(event.getVictim().getPid()));
            assertThat(event.getVictim().hasIsContainerInit()
                            && !event.getVictim().getIsContainerInit())
                    .isFalse();
        });
    }

    /** All wait until all exist; then all eat at once, and each is removed as soon as it has died. */
    private static List<Container> storm() throws Exception {
        try (ExecutorService hands = Executors.newFixedThreadPool(4)) {
            List<Future<Container>> made = new ArrayList<>();
            for (int number = 0; number < STORM; number++) {
                String name = "storm-" + number;
                made.add(hands.submit(() -> pods.start(pods.make(name), "app", LIMIT_BYTES, Pods.EATS)));
            }
            List<Container> all = new ArrayList<>();
            for (Future<Container> one : made) {
                all.add(one.get());
            }
            all.forEach(Container::open);
            List<Future<?>> removed = new ArrayList<>();
            for (Container one : all) {
                removed.add(hands.submit(() -> {
                    awaitDeath(one);
                    pods.remove(one.pod());
                }));
            }
            for (Future<?> one : removed) {
                one.get();
            }
            return all;
        }
    }

    private static void awaitDeath(Container container) {
        Bed.await("the end of " + container, LIMIT, () -> pods.isEmpty(container), isEmpty -> isEmpty);
    }

    private static List<OomKillEvent> latest() {
        return List.copyOf(new Events(agent.received()).latest());
    }

    private static OomKillEvent onlyEvent(Container container) {
        return events(container, 1).getFirst();
    }

    /** Returns all events of this container's cgroup, with the fields that a runtime adds. */
    private static List<OomKillEvent> events(Container container, int count) {
        List<OomKillEvent> events = Bed.await(
                "what is to be told of " + container,
                LIMIT,
                () -> latest().stream()
                        .filter(event -> event.getCgroupPath().equals(container.cgroup()))
                        .toList(),
                seen -> seen.stream()
                                .filter(event -> event.getEvidenceList().contains(Evidence.CRI))
                                .count()
                        >= count);
        assertThat(events).hasSize(count);
        return events;
    }

    /** The kill is the only one of its incident, so that the kernel printed its whole report. */
    private static void assertKilledAtLimit(
            OomKillEvent event, Container container, Limit.Owner owner, String limiting, long limitBytes) {
        assertThat(event.getNode().getName()).isEqualTo("bed");
        assertThat(event.getRecovered()).isFalse();
        assertThat(event.getOutcome()).isEqualTo(OomKillEvent.Outcome.KILLED);
        assertThat(event.getScope()).isEqualTo(OomKillEvent.Scope.MEMCG);
        assertThat(event.getConstraint()).isEqualTo("CONSTRAINT_MEMCG");
        assertThat(event.getVictim().getComm()).isEqualTo("tail");
        Incident incident = event.getIncident();
        assertThat(incident.getOomMemcg()).isEqualTo(limiting);
        assertThat(incident.getTaskMemcg()).isEqualTo(container.cgroup());
        assertThat(incident.getGroupKill()).isFalse();
        assertThat(incident.getLimit().getOwner()).isEqualTo(owner);
        assertThat(incident.getLimit().getCgroup()).isEqualTo(limiting);
        assertThat(incident.getLimit().getLimitBytes()).isEqualTo(limitBytes);
        assertThat(incident.getLimit().getUsageBytes()).isBetween(limitBytes / 10 * 9, limitBytes);
        assertThat(incident.getMemory().getAnonBytes()).isBetween(limitBytes / 2, limitBytes);
        assertThat(incident.getTasksList())
                .extracting(Task::getPid)
                .contains(event.getVictim().getPid());
        assertThat(event.getEvidenceList())
                .contains(Evidence.KMSG_KILLED, Evidence.KMSG_SUMMARY, Evidence.MEMORY_EVENTS, Evidence.CRI);
        assertThat(event.getCertainty()).isEqualTo(OomKillEvent.Certainty.CONFIRMED);
    }

    private static void assertNames(OomKillEvent event, Container container) {
        Pod pod = container.pod();
        assertThat(event.getCgroupPath()).isEqualTo(container.cgroup());
        assertThat(event.getContainer().getRuntime()).isEqualTo("containerd");
        assertThat(event.getContainer().getId()).isEqualTo(container.id());
        assertThat(event.getContainer().getName()).isEqualTo(container.name());
        assertThat(event.getContainer().getAttempt()).isEqualTo(Pods.ATTEMPT);
        assertThat(event.getContainer().getImage()).isEqualTo(Containerd.IMAGE);
        assertThat(event.getContainer().getQosClass()).isEqualTo(QosClass.QOS_CLASS_BURSTABLE);
        assertThat(event.getContainer().getPod().getName()).isEqualTo(pod.name());
        assertThat(event.getContainer().getPod().getNamespace()).isEqualTo(Pods.NAMESPACE);
        assertThat(event.getContainer().getPod().getUid()).isEqualTo(pod.uid());
        assertThat(event.getContainer().getPod().getLabelsMap())
                .isEqualTo(Map.of("app.kubernetes.io/name", pod.name()));
    }
}
