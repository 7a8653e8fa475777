package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.nativetest.DockerEngine.Container;
import dev.exit137.proto.v1.AskedBy;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Certainty;
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
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The ways in which a container of a Docker Engine ends, on this machine's own kernel: each is one event with its cause,
 * its sender and who asked.
 */
@Tag("kernel")
@Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DockerExitsTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    /** A later revision, or a second event, would have come by then. */
    private static final Duration QUIET = Duration.ofMillis(2500);

    private static final String IGNORES_TERM = "trap '' TERM; while :; do sleep 0.1; done";
    private static final String WAITS = "while :; do sleep 0.1; done";

    private static Path out;
    private static DockerEngine engine;
    private static LiveAgent agent;

    @BeforeAll
    static void start() {
        DockerTest.skipWhereDockerCannotRun();
        out = Bed.freshDirectory("docker-exits");
        try {
            engine = DockerEngine.start(out);
            agent = LiveAgent.startWithDocker(out.resolve("agent"), engine.socket());
            agent.awaitRuntime(State.ACTIVE);
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

    @AfterAll
    static void end() {
        Bed.close(agent, engine);
    }

    /** Waits for the one end of a container, in a revision that is as wanted. */
    private static ExitEvent onlyEnd(String container, Predicate<ExitEvent> wanted) {
        Bed.await(
                "the end of " + container,
                LIMIT,
                () -> agent.exits(container),
                ends -> ends.stream().anyMatch(wanted));
        List<ExitEvent> ends = agent.exits(container);
        assertThat(ends).as("ends of " + container).hasSize(1);
        return ends.getFirst();
    }

    private static ExitEvent endOf(String container, Cause cause, Certainty certainty) {
        ExitEvent end;
        try {
            end = onlyEnd(container, event -> event.getCause() == cause);
        } catch (AssertionError e) {
            throw new AssertionError(container + " has not the cause " + cause + ": " + agent.exits(container), e);
        }
        System.out.println("END " + container + ": " + cause + " " + end.getCertainty() + ": " + end.getExplanation());
        assertThat(end.getCertainty()).as(end.getExplanation()).isEqualTo(certainty);
        assertThat(end.getContainer().getName()).isEqualTo(container);
        return end;
    }

    private static void assertAsked(ExitEvent end, AskedBy.Kind kind, String detail) {
        assertThat(end.getAskedBy().getKind()).as(end.toString()).isEqualTo(kind);
        assertThat(end.getAskedBy().getDetail()).as(end.toString()).isEqualTo(detail);
    }

    /** The shell stays a moment: of a sender that ends at once, only its pid may be known. */
    private static void shell(String script) {
        Bed.Finished finished =
                Bed.run(out, "shell", LIMIT, new ProcessBuilder("/bin/bash", "-c", script + "; sleep 2; :"));
        assertThat(finished.status()).as(finished.errText()).isZero();
    }

    @Test
    void stopAfterItsGracePeriod() {
        engine.start("stopped-late", IGNORES_TERM);
        engine.docker("stop", "--time", "1", "stopped-late");
        ExitEvent end = endOf("stopped-late", Cause.STOP_TIMEOUT, Certainty.CONFIRMED);
        assertAsked(end, AskedBy.Kind.DOCKER_CLIENT, "docker stop");
        assertThat(end.getSender().hasPid()).isTrue();
        assertThat(end.getStopRequest().getWaited().getSeconds()).isEqualTo(1);
        assertThat(end.getExitCode()).isEqualTo(137);
        assertThat(end.getSignal()).isEqualTo(9);
    }

    @Test
    void stopThatTheProgramHandles() {
        engine.start("stopped", "trap 'exit 143' TERM; " + WAITS);
        engine.docker("stop", "stopped");
        ExitEvent end = endOf("stopped", Cause.STOPPED, Certainty.CONFIRMED);
        assertAsked(end, AskedBy.Kind.DOCKER_CLIENT, "docker stop");
    }

    @Test
    void stopWithoutAGracePeriod() {
        engine.start("stopped-at-once", IGNORES_TERM);
        engine.docker("stop", "--time", "0", "stopped-at-once");
        ExitEvent end = endOf("stopped-at-once", Cause.RUNTIME_KILL, Certainty.CONFIRMED);
        assertAsked(end, AskedBy.Kind.DOCKER_CLIENT, "docker stop");
    }

    @Test
    void restart() {
        engine.start("restarted", IGNORES_TERM);
        engine.docker("restart", "--time", "1", "restarted");
        ExitEvent end =
                onlyEnd("restarted", event -> event.getAskedBy().getDetail().equals("docker restart"));
        assertThat(end.getCause()).isEqualTo(Cause.STOP_TIMEOUT);
        engine.docker("rm", "--force", "restarted");
    }

    @Test
    void kill() {
        engine.start("killed", WAITS);
        engine.docker("kill", "killed");
        ExitEvent end = endOf("killed", Cause.CLIENT_KILL, Certainty.CONFIRMED);
        assertAsked(end, AskedBy.Kind.DOCKER_CLIENT, "docker kill");
        assertThat(end.getSender().hasPid()).isTrue();
        assertThat(end.getKernelPathList()).anyMatch(frame -> frame.contains("kill"));
    }

    @Test
    void killWithSigterm() {
        engine.start("terminated", "trap 'exit 143' TERM; " + WAITS);
        engine.docker("kill", "--signal", "TERM", "terminated");
        ExitEvent end = endOf("terminated", Cause.STOPPED, Certainty.CONFIRMED);
        assertAsked(end, AskedBy.Kind.DOCKER_CLIENT, "docker kill -s TERM");
    }

    @Test
    void removeByForce() {
        engine.start("removed", WAITS);
        engine.docker("rm", "--force", "removed");
        ExitEvent end =
                onlyEnd("removed", event -> event.getAskedBy().getDetail().equals("docker rm -f"));
        assertThat(end.getCause()).isEqualTo(Cause.CLIENT_KILL);
    }

    @Test
    void killWhilePaused() {
        engine.start("frozen", WAITS);
        engine.docker("pause", "frozen");
        engine.docker("kill", "frozen");
        endOf("frozen", Cause.CLIENT_KILL, Certainty.CONFIRMED);
    }

    @Test
    void oomKillOfTheMainProcess() {
        Container eater = engine.start("eater", Pods.EATS, "--memory=16m");
        eater.open();
        ExitEvent end = onlyEnd("eater", event -> event.getOomEventIdsCount() > 0);
        assertThat(end.getCause()).isEqualTo(Cause.OOM_KILL);
        assertThat(end.getCertainty()).isEqualTo(Certainty.CONFIRMED);
        assertThat(end.getLimitOwner()).isEqualTo(Limit.Owner.CONTAINER);
        assertThat(end.hasSender()).isFalse();
        assertThat(end.hasAskedBy()).isFalse();
    }

    @Test
    void oomKillOfAChildAndAnExitOfItsOwn() {
        Container parent =
                engine.start("parent-of-eater", "read line </bed/go; tail /dev/zero; exit 7", "--memory=16m");
        parent.open();
        ExitEvent end = onlyEnd("parent-of-eater", event -> event.getOomEventIdsCount() > 0);
        assertThat(end.getCause()).isEqualTo(Cause.OWN_EXIT);
        assertThat(end.getExitCode()).isEqualTo(7);
    }

    @Test
    void killFromAShellOfTheHost() {
        Container victim = engine.start("shot", WAITS);
        shell("kill -9 " + victim.mainPid());
        ExitEvent end = endOf("shot", Cause.HOST_PROCESS, Certainty.CONFIRMED);
        assertThat(end.getAskedBy().getKind()).isIn(AskedBy.Kind.PERSON, AskedBy.Kind.PROGRAM);
        assertThat(end.getSender().getExe()).isNotEmpty();
        assertThat(end.getSender().getUid()).isZero();
        assertThat(end.getSender().getParentsList()).isNotEmpty();
    }

    @Test
    void sigtermFromAShellOfTheHost() {
        Container victim = engine.start("asked", "trap 'exit 143' TERM; " + WAITS);
        shell("kill -15 " + victim.mainPid());
        ExitEvent end = endOf("asked", Cause.HOST_PROCESS, Certainty.CONFIRMED);
        assertThat(end.getExitCode()).isEqualTo(143);
        assertThat(end.hasSignal()).isFalse();
    }

    /** Only its name is runc's. */
    @Test
    void aProgramThatIsCalledRuncIsAProgramOfTheHost() throws IOException {
        Path fake = Files.copy(Bed.find("busybox").orElseThrow(), out.resolve("runc"));
        Container victim = engine.start("fooled", WAITS);
        // busybox takes its applet from its first argument if it is called busybox.
        shell("(exec -a busybox " + fake + " sh -c 'kill -9 " + victim.mainPid() + "; sleep 2; :')");
        ExitEvent end = endOf("fooled", Cause.HOST_PROCESS, Certainty.CONFIRMED);
        assertThat(end.getSender().getExe()).isEqualTo(fake.toString());
        assertThat(end.getSender().getComm()).isEqualTo("runc");
    }

    @Test
    void killOfProcess1FromInsideIsNoEnd() {
        engine.start("immune", WAITS);
        engine.docker("exec", "immune", "/bin/sh", "-c", "kill -9 1");
        assertThat(agent.exits("immune")).isEmpty();
        engine.docker("kill", "immune");
        endOf("immune", Cause.CLIENT_KILL, Certainty.CONFIRMED);
    }

    @Test
    void killByAPeerInTheSameContainer() {
        // Without a pid namespace of its own, its main process is not immune to its children.
        engine.start("parricide", "sh -c 'sleep 0.5; kill -9 '$$'; sleep 0.3' & wait", "--pid=host");
        ExitEvent end = onlyEnd("parricide", ExitEvent::hasSender);
        // The runtime kills the peer as soon as the main process is dead, perhaps before the agent looks at it.
        if (end.getSender().getExe().isEmpty() || end.getSender().getCgroup().isEmpty()) {
            assertThat(end.getCause()).isEqualTo(Cause.UNKNOWN);
        } else {
            assertThat(end.getCause()).isEqualTo(Cause.SAME_CONTAINER_PROCESS);
            assertThat(end.getCertainty()).isEqualTo(Certainty.CONFIRMED);
        }
    }

    @Test
    void killFromAnotherContainer() {
        Container victim = engine.start("neighbour", WAITS);
        engine.start("murderer", "kill -9 " + victim.mainPid() + "; sleep 2", "--pid=host");
        ExitEvent end = endOf("neighbour", Cause.HOST_PROCESS, Certainty.CONFIRMED);
        assertThat(end.getSender().getContainer().getName()).isEqualTo("murderer");
    }

    @Test
    void theProgramsOwn137() {
        engine.start("liar", "sleep 1000 & sleep 0.2; kill -9 $!; wait $!; exit 137");
        ExitEvent end = endOf("liar", Cause.OWN_EXIT, Certainty.CONFIRMED);
        assertThat(end.hasSignal()).isFalse();
        assertThat(end.getExplanation()).contains("by itself with code 137");
    }

    @Test
    void timeoutInsideTheContainer() {
        engine.start("timed-out", "timeout -s KILL 1 sleep 100; exit $?");
        endOf("timed-out", Cause.OWN_EXIT, Certainty.CONFIRMED);
    }

    @Test
    void anExitOfItsOwnWithTheKillsThatFollow() {
        engine.start("quits", "sleep 500 & sleep 501 & sleep 0.3; exit 3");
        ExitEvent end = endOf("quits", Cause.OWN_EXIT, Certainty.SINGLE_SOURCE);
        assertThat(end.getExitCode()).isEqualTo(3);
        assertThat(end.getSecondaryKillsCount()).isPositive();
    }

    @Test
    void theEndOfTheNamespacesFirstProcess() {
        engine.start("first", WAITS);
        engine.start("second", WAITS, "--pid=container:first");
        engine.docker("kill", "first");
        endOf("first", Cause.CLIENT_KILL, Certainty.CONFIRMED);
        endOf("second", Cause.CONTAINER_INIT_DIED, Certainty.CONFIRMED);
    }

    @Test
    void theLimitOfProcessorTime() {
        engine.start("busy", "ulimit -t 1; while :; do :; done");
        endOf("busy", Cause.CPU_LIMIT, Certainty.CONFIRMED);
    }

    @Test
    void aProgramThatIsNotThere() {
        assertThat(engine.tryDocker("run", "--name", "missing", "--network", "none", Containerd.IMAGE, "/no/such"))
                .isEqualTo(127);
        endOf("missing", Cause.NOT_FOUND, Certainty.SINGLE_SOURCE);
    }

    @Test
    void aProgramThatIsADirectory() {
        assertThat(engine.tryDocker("run", "--name", "directory", "--network", "none", Containerd.IMAGE, "/bin"))
                .isEqualTo(126);
        endOf("directory", Cause.NOT_EXECUTABLE, Certainty.SINGLE_SOURCE);
    }

    @Test
    void aCrashOfAChildWhoseCodeTheShellPassesOn() {
        engine.start("crashed", "sh -c 'kill -SEGV $$'; exit $?");
        ExitEvent end = endOf("crashed", Cause.CRASH, Certainty.INFERRED);
        assertThat(end.getExitCode()).isEqualTo(139);
    }

    @Test
    void aCallThatTheSeccompProfileForbids() throws IOException {
        Path profile = out.resolve("seccomp.json");
        Files.writeString(profile, """
                {"defaultAction": "SCMP_ACT_ALLOW",
                 "syscalls": [{"names": ["sync"], "action": "SCMP_ACT_KILL_PROCESS"}]}
                """);
        engine.start("confined", "sleep 0.2; exec sync", "--security-opt", "seccomp=" + profile);
        endOf("confined", Cause.SECCOMP, Certainty.INFERRED);
    }

    @Test
    void theShimsDeath() {
        Container orphan = engine.start("orphan", WAITS);
        shell("kill -9 $(awk '/^PPid/ {print $2}' /proc/" + orphan.mainPid() + "/status)");
        ExitEvent end = endOf("orphan", Cause.SHIM_DIED, Certainty.CONFIRMED);
        assertThat(end.getSender().getExe()).isNotEmpty();
    }

    @Test
    void aKillThatDockerWasNotAskedFor() {
        Container task = engine.start("task", WAITS);
        shell("ctr --address " + engine.containerdSocket() + " --namespace moby task kill --signal 9 " + task.id());
        ExitEvent end = onlyEnd("task", event -> event.hasSender());
        // runc lives for a millisecond after its kill, and Docker has no record of it: without runc's executable the
        // cause is inferred, and without its parent unknown.
        if (end.getCause() == Cause.UNKNOWN) {
            assertThat(end.getSender().getExe()).isEmpty();
            assertThat(end.hasAskedBy()).isFalse();
        } else {
            assertThat(end.getCause()).isEqualTo(Cause.RUNTIME_KILL);
            assertThat(end.getCertainty()).isIn(Certainty.CONFIRMED, Certainty.INFERRED);
            assertAsked(end, AskedBy.Kind.CONTAINERD_CLIENT, "");
        }
    }

    @Test
    void aSuccessIsNoEvent() {
        engine.start("content", "sleep 0.2; exit 0");
        engine.docker("wait", "content");
        engine.start("after", "sleep 0.2; exit 1");
        endOf("after", Cause.OWN_EXIT, Certainty.SINGLE_SOURCE);
        assertThat(agent.exits("content")).isEmpty();
    }

    /** Every event of the other tests has had the time for a second one. */
    @Test
    void aRemovedContainerHasStillOneEnd() throws InterruptedException {
        engine.start("removed-later", WAITS);
        engine.docker("kill", "removed-later");
        endOf("removed-later", Cause.CLIENT_KILL, Certainty.CONFIRMED);
        engine.docker("rm", "removed-later");
        TimeUnit.MILLISECONDS.sleep(QUIET.toMillis());
        assertThat(agent.exits("removed-later")).hasSize(1);
    }
}
