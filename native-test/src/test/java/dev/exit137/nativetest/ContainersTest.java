package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.nativetest.Pods.Container;
import dev.exit137.nativetest.Pods.Pod;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import dev.exit137.proto.v1.QosClass;
import dev.exit137.proto.v1.SourceStatus.State;
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
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Real pods of a real containerd on this machine's own kernel, and what the product says of their deaths. */
@Timeout(value = 2, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ContainersTest {
  /** The hierarchy with the memory controller: cgroup v1's, where that has it. */
  private static final Path MEMORY =
      Stream.of(Path.of("/sys/fs/cgroup/memory"), Path.of("/sys/fs/cgroup"))
          .filter(root -> Files.exists(root.resolve("cgroup.procs")))
          .findFirst()
          .orElse(Path.of("/sys/fs/cgroup"));
  private static final long LIMIT_BYTES = 16L << 20;
  private static final Duration LIMIT = Duration.ofSeconds(30);
  private static final int STORM = 12;

  private static Path out;
  private static Containerd containerd;
  private static Pods pods;
  private static LiveAgent agent;

  @BeforeAll
  static void start() {
    skipWhereContainerdCannotRun();
    out = Bed.freshDirectory("containers");
    try {
      containerd = Containerd.start(out);
      pods = new Pods(containerd, MEMORY, "/exit137-bed-" + ProcessHandle.current().pid());
      agent = LiveAgent.start(out.resolve("agent"), containerd.socket());
      agent.awaitRuntime(State.ACTIVE);
    } catch (RuntimeException | AssertionError e) {
      end();
      throw e;
    }
  }

  private static void skipWhereContainerdCannotRun() {
    String bed = "containers of a real runtime";
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
    assertThat(event.getVictim().getPid()).isEqualTo(app.mainPid());
    assertThat(event.getIncident().getLimit().getOwner()).isEqualTo(Limit.Owner.CONTAINER);
    assertThat(event.getIncident().getLimit().getLimitBytes()).isEqualTo(LIMIT_BYTES);
    assertThat(event.getExplanation())
        .contains("container app of pod bed/cart (image " + Containerd.IMAGE + ") reached its memory limit of 16.0 MiB");
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

    OomKillEvent child = agent.await("a child's death", app.cgroup(), e -> e.getVictim().hasIsContainerInit()).getLast();
    assertNames(child, app);
    assertThat(child.getVictim().getPid()).isNotEqualTo(app.mainPid());
    assertThat(child.getVictim().getIsContainerInit()).isFalse();
    assertThat(child.getExplanation()).contains("the container lives on, and Kubernetes does not show this kill");
    assertThat(containerd.isRunning(app.id())).isTrue();

    app.open();
    OomKillEvent main = events(app, 2).stream()
        .filter(event -> event.getVictim().getPid() == app.mainPid()).findFirst().orElseThrow();
    assertThat(main.getVictim().getIsContainerInit()).isTrue();
    assertThat(main.getExplanation()).contains("It was the container's main process, so the container ended.");
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
    Limit limit = event.getIncident().getLimit();
    assertThat(limit.getOwner()).isEqualTo(Limit.Owner.POD);
    assertThat(limit.getCgroup()).isEqualTo(pod.cgroup());
    assertThat(event.getExplanation())
        .contains("in container app of pod bed/job (image " + Containerd.IMAGE + ")")
        .contains("because pod bed/job, above it, reached its memory limit of 16.0 MiB");
    pods.remove(pod);
  }

  @Test
  void containerThatIsKilledAsItsFirstActHasItsName() {
    Pod pod = pods.make("hasty");
    Container app = pods.launch(pod, "app", LIMIT_BYTES, Pods.EATS_AT_ONCE);

    assertNames(onlyEvent(app), app);
    pods.remove(pod);
  }

  @Test
  void containerRemovedAtOnceAfterItsDeathHasItsName() {
    Pod pod = pods.make("brief");
    Container app = pods.start(pod, "app", LIMIT_BYTES, Pods.EATS);
    app.open();
    Bed.await("the death of " + app, LIMIT, () -> Bed.lines(Path.of(MEMORY + app.cgroup() + "/cgroup.procs")),
        List::isEmpty);
    pods.remove(pod);

    OomKillEvent event = onlyEvent(app);
    assertNames(event, app);
    assertThat(event.getVictim().hasIsContainerInit() && !event.getVictim().getIsContainerInit())
        .as("unknown, where the runtime had no time to say: never wrong").isFalse();
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
        OomKillEvent byPath = fresh.await("an event by its path", app.cgroup(), event -> true).getFirst();
        assertThat(byPath.getRevision()).isEqualTo(1);
        assertThat(byPath.getContainer().getId()).isEqualTo(app.id());
        assertThat(byPath.getContainer().getName()).isEmpty();
        assertThat(byPath.getContainer().getPod().getUid()).isEqualTo(pod.uid());
        assertThat(byPath.getContainer().getQosClass()).isEqualTo(QosClass.QOS_CLASS_BURSTABLE);
        assertThat(byPath.getVictim().hasIsContainerInit()).isFalse();
        assertThat(byPath.getEvidenceList()).doesNotContain(Evidence.CRI);
        assertThat(fresh.awaitRuntime(State.UNAVAILABLE).getDetail()).contains(containerd.socket().toString());
        containerd.goOn();

        OomKillEvent named = fresh.await("its name", app.cgroup(), event -> event.getRevision() == 2).getLast();
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
  void killsWhileTheRuntimeIsRestartedAndAfterHaveTheirNames() {
    Pod before = pods.make("before");
    Container old = pods.start(before, "app", LIMIT_BYTES, Pods.ITS_CHILD_EATS);
    containerd.restart();
    old.open();
    assertNames(onlyEvent(old), old);
    agent.awaitRuntime(State.ACTIVE);

    Pod after = pods.make("after");
    Container fresh = pods.start(after, "app", LIMIT_BYTES, Pods.EATS);
    fresh.open();
    assertNames(onlyEvent(fresh), fresh);
    pods.remove(before);
    pods.remove(after);
  }

  @Test
  void stormOfPodsCreatedKilledAndRemovedNamesNoWrongPod() throws Exception {
    Map<Integer, Container> victims = storm().stream().collect(Collectors.toMap(Container::mainPid, Function.identity()));
    assertThat(victims).hasSize(STORM);

    List<OomKillEvent> events = Bed.await("an event for each of the storm", LIMIT,
        () -> latest().stream()
            .filter(event -> !event.getRecovered() && victims.containsKey(event.getVictim().getPid()))
            .toList(),
        seen -> seen.size() >= STORM
            && seen.stream().allMatch(event -> event.getContainer().getName().equals("app")
                || event.getCgroupPath().isEmpty()));
    assertThat(events).hasSize(STORM);
    assertThat(events).allSatisfy(event -> {
      if (event.getCgroupPath().isEmpty()) {
        assertThat(event.hasContainer()).as("no name without a cgroup: %s", event).isFalse();
      } else {
        assertNames(event, victims.get(event.getVictim().getPid()));
      }
    });
  }

  /** Each eats as soon as it is there, and is removed as soon as it has died; four at a time. */
  private static List<Container> storm() throws Exception {
    ExecutorService hands = Executors.newFixedThreadPool(4);
    try {
      List<Future<Container>> all = new ArrayList<>();
      IntStream.range(0, STORM).forEach(number -> all.add(hands.submit(() -> {
        Pod pod = pods.make("storm-" + number);
        Container app = pods.start(pod, "app", LIMIT_BYTES, Pods.EATS);
        app.open();
        awaitDeath(app);
        pods.remove(pod);
        return app;
      })));
      List<Container> done = new ArrayList<>();
      for (Future<Container> one : all) {
        done.add(one.get());
      }
      return done;
    } finally {
      hands.shutdown();
    }
  }

  private static void awaitDeath(Container container) {
    Bed.await("the end of " + container, LIMIT, () -> containerd.isRunning(container.id()), running -> !running);
  }

  private static List<OomKillEvent> latest() {
    return List.copyOf(new Events(agent.received()).latest());
  }

  private static OomKillEvent onlyEvent(Container container) {
    return events(container, 1).getFirst();
  }

  /** All that there are of this container's cgroup, with what a runtime adds. */
  private static List<OomKillEvent> events(Container container, int count) {
    List<OomKillEvent> events = Bed.await("what is to be told of " + container, LIMIT,
        () -> latest().stream().filter(event -> event.getCgroupPath().equals(container.cgroup())).toList(),
        seen -> seen.stream().filter(event -> event.getEvidenceList().contains(Evidence.CRI)).count() >= count);
    assertThat(events).hasSize(count);
    return events;
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
    assertThat(event.getContainer().getPod().getLabelsMap()).isEqualTo(Map.of("app.kubernetes.io/name", pod.name()));
  }
}
