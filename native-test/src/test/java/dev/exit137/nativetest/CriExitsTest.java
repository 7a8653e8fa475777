package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.nativetest.Pods.Container;
import dev.exit137.nativetest.Pods.Pod;
import dev.exit137.proto.v1.AskedBy;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Certainty;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;

/**
 * The ways in which a pod's container ends on a real containerd, on this machine's own kernel: each is one event with its
 * cause, its sender and who asked.
 */
@Tag("kernel")
@Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class CriExitsTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static final long LIMIT_BYTES = 16L << 20;

    private static final String IGNORES_TERM = "trap '' TERM; while :; do sleep 0.1; done";
    private static final String WAITS = "while :; do sleep 0.1; done";

    private static Path out;
    private static Containerd containerd;
    private static Pods pods;
    private static LiveAgent agent;

    @BeforeAll
    static void start() {
        ContainersTest.skipWhereContainerdCannotRun("the ends of pods");
        out = Bed.freshDirectory("cri-exits");
        try {
            containerd = Containerd.start(out);
            pods = new Pods(
                    containerd,
                    ContainersTest.MEMORY,
                    "/exit137-exits-" + ProcessHandle.current().pid());
            startAgent();
            Optional<SourceStatus> trace =
                    Bed.await("the state of the trace", LIMIT, () -> agent.source("trace"), Optional::isPresent);
            if (trace.orElseThrow().getState() != State.ACTIVE) {
                end();
                Bed.skip("who sent the signal", trace.orElseThrow().getDetail());
            }
        } catch (RuntimeException | AssertionError e) {
            end();
            throw e;
        }
    }

    private static void startAgent() {
        agent = LiveAgent.start(out.resolve("agent"), containerd.socket(), containerd.log());
        agent.awaitRuntime(State.ACTIVE);
    }

    @AfterAll
    static void end() {
        Bed.close(pods, agent, containerd);
    }

    private static Container start(String name, String script) {
        return pods.start(pods.make(name), "app", 0, script);
    }

    /** Waits for the one end of a container, in a revision that is as wanted. */
    private static ExitEvent onlyEnd(Container container, Predicate<ExitEvent> wanted) {
        try {
            Bed.await(
                    "the end of " + container,
                    LIMIT,
                    () -> agent.exits(container.id()),
                    ends -> ends.stream().anyMatch(wanted));
        } catch (AssertionError e) {
            throw new AssertionError(container + " did not end as expected: " + agent.exits(container.id()), e);
        }
        List<ExitEvent> ends = agent.exits(container.id());
        assertThat(ends).as("ends of " + container).hasSize(1);
        ExitEvent end = ends.getFirst();
        System.out.println("END " + container.pod().name() + ": " + end.getCause() + " " + end.getCertainty() + " "
                + end.getEvidenceList() + " rev " + end.getRevision() + ": " + end.getExplanation() + " "
                + end.getEvidenceMissingList());
        assertThat(end.getContainer().getPod().getName())
                .isEqualTo(container.pod().name());
        return end;
    }

    private static ExitEvent endOf(Container container, Cause cause, Certainty certainty) {
        ExitEvent end = onlyEnd(container, event -> event.getCause() == cause && event.getCertainty() == certainty);
        if (container.mainPid() > 0) {
            assertThat(end.getProcess().getPid()).isEqualTo(container.mainPid());
        }
        return end;
    }

    /** A request of kubelet or of crictl: only the log of containerd has it. */
    private static void assertAsked(ExitEvent end, String call) {
        assertThat(end.getAskedBy().getKind()).as(end.toString()).isEqualTo(AskedBy.Kind.CRI_CLIENT);
        assertThat(end.getAskedBy().getDetail()).as(end.toString()).isEqualTo(call);
        assertThat(end.getEvidenceList()).contains(Evidence.CONTAINERD_LOG, Evidence.TRACE);
        assertThat(end.getEvidenceMissingList()).isEmpty();
    }

    private static void assertNobodyAsked(ExitEvent end) {
        assertThat(end.hasAskedBy()).as(end.toString()).isFalse();
    }

    /** The shell stays a moment: of a sender that ends at once, only its pid may be known. */
    private static void shell(String script) {
        Bed.Finished finished =
                Bed.run(out, "shell", LIMIT, new ProcessBuilder("/bin/bash", "-c", script + "; sleep 2; :"));
        assertThat(finished.status()).as(finished.errText()).isZero();
    }

    // ---- a client of the CRI

    @Test
    void stopAfterItsGracePeriod() {
        Container app = start("late", IGNORES_TERM);
        pods.stop(app, 1);
        ExitEvent end = endOf(app, Cause.STOP_TIMEOUT, Certainty.CONFIRMED);
        assertAsked(end, "StopContainer");
        assertThat(end.getSender().hasPid()).isTrue();
        assertThat(end.getStopRequest().getGrace().getSeconds()).isEqualTo(1);
        assertThat(end.getStopRequest().getWaited().getSeconds()).isEqualTo(1);
        assertThat(end.getExitCode()).isEqualTo(137);
        assertThat(end.getSignal()).isEqualTo(9);
        assertThat(end.getProcess().getComm()).isEqualTo("sh");
    }

    @Test
    void stopThatTheProgramHandles() {
        Container app = start("handles", "trap 'exit 143' TERM; " + WAITS);
        pods.stop(app, 30);
        ExitEvent end = endOf(app, Cause.STOPPED, Certainty.CONFIRMED);
        assertAsked(end, "StopContainer");
        assertThat(end.getStopRequest().getGrace().getSeconds()).isEqualTo(30);
        assertThat(end.getExitCode()).isEqualTo(143);
        assertThat(end.hasSignal()).isFalse();
    }

    @Test
    void stopWithoutAGracePeriod() {
        Container app = start("at-once", IGNORES_TERM);
        pods.stop(app, 0);
        ExitEvent end = endOf(app, Cause.RUNTIME_KILL, Certainty.CONFIRMED);
        assertAsked(end, "StopContainer");
    }

    @Test
    void stopOfTheWholePod() {
        Pod pod = pods.make("whole");
        Container app = pods.start(pod, "app", 0, IGNORES_TERM);
        Container sidecar = pods.start(pod, "sidecar", 0, IGNORES_TERM);
        pods.stop(pod);
        assertAsked(endOf(app, Cause.RUNTIME_KILL, Certainty.CONFIRMED), "StopPodSandbox");
        assertAsked(endOf(sidecar, Cause.RUNTIME_KILL, Certainty.CONFIRMED), "StopPodSandbox");
        assertThat(agent.exits(pod.sandbox())).as("a sandbox is no container").isEmpty();
    }

    @Test
    void removalOfAContainerThatRuns() {
        Container app = start("removed", WAITS);
        pods.remove(app);
        assertAsked(endOf(app, Cause.RUNTIME_KILL, Certainty.CONFIRMED), "RemoveContainer");
    }

    @Test
    void stopOfAContainerThatHasEndedIsNotItsCause() {
        Container app = start("ended", "sleep 0.2; exit 3");
        endOf(app, Cause.OWN_EXIT, Certainty.SINGLE_SOURCE);
        // Its shim goes away at this moment, and closes its connection; kubelet asks again, too.
        Bed.await("a stop that is taken", LIMIT, () -> pods.tryStop(app, 1), taken -> taken);
        pods.remove(app.pod());
        ExitEvent end = endOf(app, Cause.OWN_EXIT, Certainty.SINGLE_SOURCE);
        assertNobodyAsked(end);
        assertThat(end.getEvidenceList()).doesNotContain(Evidence.CONTAINERD_LOG);
    }

    @Test
    void killByAClientOfContainerdHasNoRequestInTheLog() {
        Container app = start("bypassed", WAITS);
        shell("ctr --address " + containerd.socket() + " --namespace k8s.io task kill --signal 9 " + app.id());
        ExitEvent end = onlyEnd(app, event -> event.hasSender());
        assertNobodyAsked(end);
        // runc lives for a millisecond after its kill: without its executable the cause is inferred, and without its
        // parent unknown.
        if (end.getCause() == Cause.UNKNOWN) {
            assertThat(end.getSender().getExe()).isEmpty();
        } else {
            assertThat(end.getCause()).isEqualTo(Cause.RUNTIME_KILL);
            assertThat(end.getExplanation()).contains("containerd's log has no request of a client of the CRI");
        }
    }

    // ---- others

    @Test
    void killFromAShellOfTheHost() {
        Container app = start("shot", WAITS);
        shell("kill -9 " + app.mainPid());
        ExitEvent end = endOf(app, Cause.HOST_PROCESS, Certainty.CONFIRMED);
        assertThat(end.getAskedBy().getKind()).isIn(AskedBy.Kind.PERSON, AskedBy.Kind.PROGRAM);
        assertThat(end.getSender().getExe()).isNotEmpty();
        assertThat(end.getSender().getUid()).isZero();
    }

    /** Only its name is runc's. */
    @Test
    void aProgramThatIsCalledRuncIsAProgramOfTheHost() throws IOException {
        Path fake = Files.copy(Bed.find("busybox").orElseThrow(), out.resolve("runc"));
        Container app = start("fooled", WAITS);
        shell("(exec -a busybox " + fake + " sh -c 'kill -9 " + app.mainPid() + "; sleep 2; :')");
        ExitEvent end = endOf(app, Cause.HOST_PROCESS, Certainty.CONFIRMED);
        assertThat(end.getSender().getExe()).isEqualTo(fake.toString());
        assertThat(end.getSender().getComm()).isEqualTo("runc");
    }

    @Test
    void killByAnExecInTheSameContainer() {
        Container app = pods.startInThePodsPids(pods.make("exec"), "app", "echo $$ >/bed/pid; " + WAITS);
        // The shell waits until its command has been seen.
        pods.exec(app, "read pid </bed/pid; kill -9 $pid; sleep 2");
        ExitEvent end = onlyEnd(app, ExitEvent::hasSender);
        assertSameContainerOrGone(end);
    }

    @Test
    void killByTheMainProcessesOwnChild() {
        Container app = pods.startInThePodsPids(
                pods.make("parricide"), "app", "read line </bed/go; sh -c 'kill -9 '$$'; sleep 2' & wait");
        app.open();
        assertSameContainerOrGone(onlyEnd(app, ExitEvent::hasSender));
    }

    /** The runtime kills a peer as soon as the main process is dead, perhaps before the agent looks at it. */
    private static void assertSameContainerOrGone(ExitEvent end) {
        if (end.getSender().getExe().isEmpty() || end.getSender().getCgroup().isEmpty()) {
            assertThat(end.getCause()).isEqualTo(Cause.UNKNOWN);
        } else {
            assertThat(end.getCause()).isEqualTo(Cause.SAME_CONTAINER_PROCESS);
            assertThat(end.getCertainty()).isEqualTo(Certainty.CONFIRMED);
        }
    }

    @Test
    void theEndOfThePodsFirstProcess() {
        Pod pod = pods.make("first");
        Container app = pods.startInThePodsPids(pod, "app", WAITS);
        // The pause process is process 1 of the pod's pid namespace.
        shell("kill -9 " + containerd.sandboxPid(pod.sandbox()));
        endOf(app, Cause.CONTAINER_INIT_DIED, Certainty.CONFIRMED);
    }

    @Test
    void anExitOfItsOwnWithTheKillsThatFollow() {
        Container app = start("quits", "sleep 500 & sleep 501 & sleep 0.3; exit 3");
        ExitEvent end = endOf(app, Cause.OWN_EXIT, Certainty.SINGLE_SOURCE);
        assertThat(end.getExitCode()).isEqualTo(3);
        assertThat(end.getSecondaryKillsCount()).isPositive();
    }

    @Test
    void theShimsDeath() {
        Container app = start("orphan", WAITS);
        shell("kill -9 $(awk '/^PPid/ {print $2}' /proc/" + app.mainPid() + "/status)");
        ExitEvent end = endOf(app, Cause.SHIM_DIED, Certainty.CONFIRMED);
        assertThat(end.getSender().getExe()).isNotEmpty();
    }

    @Test
    void oomKillOfTheMainProcess() {
        Container app = pods.start(pods.make("eater"), "app", LIMIT_BYTES, Pods.EATS);
        app.open();
        ExitEvent end = onlyEnd(app, event -> event.getOomEventIdsCount() > 0);
        assertThat(end.getCause()).isEqualTo(Cause.OOM_KILL);
        assertThat(end.getCertainty()).isEqualTo(Certainty.CONFIRMED);
        assertThat(end.getLimitOwner()).isEqualTo(Limit.Owner.CONTAINER);
        assertThat(end.hasSender()).isFalse();
        assertNobodyAsked(end);
    }

    @Test
    void oomKillOfAChildOfAContainerThatLivesOnIsNoEnd() {
        Container app = pods.start(pods.make("parent"), "app", LIMIT_BYTES, Pods.ITS_CHILD_EATS);
        app.open();
        agent.await("a child's death", app.cgroup(), event -> event.getVictim().hasPid());
        assertThat(agent.exits(app.id())).isEmpty();
        pods.stop(app, 0);
        ExitEvent end = endOf(app, Cause.RUNTIME_KILL, Certainty.CONFIRMED);
        assertAsked(end, "StopContainer");
        assertThat(end.getOomEventIdsList()).as("in the life that ended").hasSize(1);
    }

    /** The CRI says {@code OOMKilled} of it, with exit code 0. */
    @Test
    void successAfterAChildsOomKillIsNoEnd() {
        Container app =
                pods.start(pods.make("content"), "app", LIMIT_BYTES, "read line </bed/go; tail /dev/zero; exit 0");
        app.open();
        agent.await("a child's death", app.cgroup(), event -> event.getVictim().hasPid());
        Bed.await("its end", LIMIT, () -> pods.isEmpty(app), isEmpty -> isEmpty);
        Container after = start("after-content", "sleep 0.2; exit 1");
        endOf(after, Cause.OWN_EXIT, Certainty.SINGLE_SOURCE);
        assertThat(agent.exits(app.id())).isEmpty();
    }

    @Test
    void theProgramsOwn137() {
        Container app = start("liar", "sleep 0.5; exit 137");
        ExitEvent end = endOf(app, Cause.OWN_EXIT, Certainty.CONFIRMED);
        assertThat(end.hasSignal()).isFalse();
        assertThat(end.getExplanation()).contains("by itself with code 137");
    }

    /** Endless recursion: the kernel's own SIGSEGV reaches process 1, too. */
    @Test
    void aCrashOfTheMainProcess() {
        Container app = start("crash", "sleep 0.2; f() { f; }; f");
        ExitEvent end = endOf(app, Cause.CRASH, Certainty.INFERRED);
        assertThat(end.getExitCode()).isEqualTo(139);
    }

    @Test
    void aProgramThatIsNotThere() {
        Container app = pods.fail(pods.make("missing"), "app", "/no/such");
        ExitEvent end = onlyEnd(app, event -> true);
        assertThat(end.getCause()).isEqualTo(Cause.NOT_FOUND);
        assertThat(end.getExitCode()).isEqualTo(128);
    }

    @Test
    void aProgramThatIsADirectory() {
        Container app = pods.fail(pods.make("directory"), "app", "/bin");
        ExitEvent end = onlyEnd(app, event -> true);
        assertThat(end.getCause()).isEqualTo(Cause.NOT_EXECUTABLE);
        assertThat(end.getExitCode()).isEqualTo(128);
    }

    // ---- restarts

    @Test
    @Order(Integer.MAX_VALUE - 1)
    void endsWhileContainerdIsAwayAreToldOnceEach() {
        Container before = start("before", "read line </bed/go; exit 4");
        Container shot = start("shot-meanwhile", WAITS);
        containerd.stop();
        before.open();
        shell("kill -9 " + shot.mainPid());
        containerd.launch();
        agent.awaitRuntime(State.ACTIVE);
        assertThat(endOf(before, Cause.OWN_EXIT, Certainty.SINGLE_SOURCE).getExitCode())
                .isEqualTo(4);
        endOf(shot, Cause.HOST_PROCESS, Certainty.CONFIRMED);
        Container after = start("after", IGNORES_TERM);
        pods.stop(after, 1);
        assertAsked(endOf(after, Cause.STOP_TIMEOUT, Certainty.CONFIRMED), "StopContainer");
        assertThat(agent.exits(before.id())).hasSize(1);
        assertThat(agent.exits(shot.id())).hasSize(1);
    }

    @Test
    @Order(Integer.MAX_VALUE)
    void endsWhileTheAgentIsAwayAreRecoveredOnceEach() {
        Container known = start("known", "exit 5");
        ExitEvent first = endOf(known, Cause.OWN_EXIT, Certainty.SINGLE_SOURCE);
        Container stopped = start("stopped-meanwhile", IGNORES_TERM);
        Container shot = start("shot-unseen", WAITS);
        agent.close();
        pods.stop(stopped, 1);
        shell("kill -9 " + shot.mainPid());
        startAgent();
        ExitEvent end = onlyEnd(stopped, event -> event.getCause() == Cause.STOP_TIMEOUT);
        assertThat(end.getRecovered()).isTrue();
        assertThat(end.getAskedBy().getDetail()).isEqualTo("StopContainer");
        // The CRI forgets the main process with its end, so that the trace cannot be searched for its signal.
        ExitEvent ofShot = onlyEnd(shot, event -> true);
        assertThat(ofShot.getRecovered()).isTrue();
        assertThat(ofShot.getCause()).isEqualTo(Cause.UNKNOWN);
        assertThat(ofShot.getEvidenceMissingList()).anyMatch(missing -> missing.startsWith("trace: "));
        assertThat(agent.exits(known.id())).extracting(ExitEvent::getEventId).containsExactly(first.getEventId());
    }
}
