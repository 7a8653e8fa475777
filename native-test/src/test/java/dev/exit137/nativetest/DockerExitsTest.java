package dev.exit137.nativetest;

import static dev.exit137.nativetest.DockerEnds.WAITS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.nativetest.DockerEngine.Container;
import dev.exit137.proto.v1.AskedBy;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Certainty;
import dev.exit137.proto.v1.Limit;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
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
    /** A later revision, or a second event, would have come by then. */
    private static final Duration QUIET = Duration.ofMillis(2500);

    private static final String IGNORES_TERM = "trap '' TERM; while :; do sleep 0.1; done";

    private static DockerEnds ends;
    private static DockerEngine engine;

    @BeforeAll
    static void start() {
        ends = DockerEnds.start("docker-exits");
        engine = ends.engine();
    }

    @AfterAll
    static void end() {
        Bed.close(ends);
    }

    @Test
    void stopAfterItsGracePeriod() {
        engine.start("stopped-late", IGNORES_TERM);
        engine.docker("stop", "--time", "1", "stopped-late");
        ExitEvent end = ends.only("stopped-late", Cause.STOP_TIMEOUT, Certainty.CONFIRMED);
        DockerEnds.assertAsked(end, AskedBy.Kind.DOCKER_CLIENT, "docker stop");
        assertThat(end.getSender().hasPid()).isTrue();
        assertThat(end.getStopRequest().getWaited().getSeconds()).isEqualTo(1);
        assertThat(end.getExitCode()).isEqualTo(137);
        assertThat(end.getSignal()).isEqualTo(9);
    }

    @Test
    void stopThatTheProgramHandles() {
        engine.start("stopped", "trap 'exit 143' TERM; " + WAITS);
        engine.docker("stop", "stopped");
        ExitEvent end = ends.only("stopped", Cause.STOPPED, Certainty.CONFIRMED);
        DockerEnds.assertAsked(end, AskedBy.Kind.DOCKER_CLIENT, "docker stop");
    }

    @Test
    void stopWithoutAGracePeriod() {
        engine.start("stopped-at-once", IGNORES_TERM);
        engine.docker("stop", "--time", "0", "stopped-at-once");
        ExitEvent end = ends.only("stopped-at-once", Cause.RUNTIME_KILL, Certainty.CONFIRMED);
        DockerEnds.assertAsked(end, AskedBy.Kind.DOCKER_CLIENT, "docker stop");
    }

    @Test
    void restart() {
        engine.start("restarted", IGNORES_TERM);
        engine.docker("restart", "--time", "1", "restarted");
        ExitEvent end =
                ends.only("restarted", event -> event.getAskedBy().getDetail().equals("docker restart"));
        assertThat(end.getCause()).isEqualTo(Cause.STOP_TIMEOUT);
        engine.docker("rm", "--force", "restarted");
    }

    @Test
    void kill() {
        engine.start("killed", WAITS);
        engine.docker("kill", "killed");
        ExitEvent end = ends.only("killed", Cause.CLIENT_KILL, Certainty.CONFIRMED);
        DockerEnds.assertAsked(end, AskedBy.Kind.DOCKER_CLIENT, "docker kill");
        assertThat(end.getSender().hasPid()).isTrue();
        assertThat(end.getKernelPathList()).anyMatch(frame -> frame.contains("kill"));
    }

    @Test
    void killWithSigterm() {
        engine.start("terminated", "trap 'exit 143' TERM; " + WAITS);
        engine.docker("kill", "--signal", "TERM", "terminated");
        ExitEvent end = ends.only("terminated", Cause.STOPPED, Certainty.CONFIRMED);
        DockerEnds.assertAsked(end, AskedBy.Kind.DOCKER_CLIENT, "docker kill -s TERM");
    }

    @Test
    void removeByForce() {
        engine.start("removed", WAITS);
        engine.docker("rm", "--force", "removed");
        ExitEvent end =
                ends.only("removed", event -> event.getAskedBy().getDetail().equals("docker rm -f"));
        assertThat(end.getCause()).isEqualTo(Cause.CLIENT_KILL);
    }

    @Test
    void killWhilePaused() {
        engine.start("frozen", WAITS);
        engine.docker("pause", "frozen");
        engine.docker("kill", "frozen");
        ends.only("frozen", Cause.CLIENT_KILL, Certainty.CONFIRMED);
    }

    @Test
    void oomKillOfTheMainProcess() {
        Container eater = engine.start("eater", Pods.EATS, "--memory=16m");
        eater.open();
        ExitEvent end = ends.only("eater", event -> event.getOomEventIdsCount() > 0);
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
        ExitEvent end = ends.only("parent-of-eater", event -> event.getOomEventIdsCount() > 0);
        assertThat(end.getCause()).isEqualTo(Cause.OWN_EXIT);
        assertThat(end.getExitCode()).isEqualTo(7);
    }

    @Test
    void killFromAShellOfTheHost() {
        Container victim = engine.start("shot", WAITS);
        ends.shell("kill -9 " + victim.mainPid());
        ExitEvent end = ends.only("shot", Cause.HOST_PROCESS, Certainty.CONFIRMED);
        assertThat(end.getAskedBy().getKind()).isIn(AskedBy.Kind.PERSON, AskedBy.Kind.PROGRAM);
        assertThat(end.getSender().getExe()).isNotEmpty();
        assertThat(end.getSender().getUid()).isZero();
        assertThat(end.getSender().getParentsList()).isNotEmpty();
    }

    @Test
    void sigtermFromAShellOfTheHost() {
        Container victim = engine.start("asked", "trap 'exit 143' TERM; " + WAITS);
        ends.shell("kill -15 " + victim.mainPid());
        ExitEvent end = ends.only("asked", Cause.HOST_PROCESS, Certainty.CONFIRMED);
        assertThat(end.getExitCode()).isEqualTo(143);
        assertThat(end.hasSignal()).isFalse();
    }

    /** Only its name is runc's. */
    @Test
    void aProgramThatIsCalledRuncIsAProgramOfTheHost() throws IOException {
        Path fake = Files.copy(Bed.find("busybox").orElseThrow(), ends.out().resolve("runc"));
        Container victim = engine.start("fooled", WAITS);
        // busybox takes its applet from its first argument if it is called busybox.
        ends.shell("(exec -a busybox " + fake + " sh -c 'kill -9 " + victim.mainPid() + "; sleep 2; :')");
        ExitEvent end = ends.only("fooled", Cause.HOST_PROCESS, Certainty.CONFIRMED);
        assertThat(end.getSender().getExe()).isEqualTo(fake.toString());
        assertThat(end.getSender().getComm()).isEqualTo("runc");
    }

    @Test
    void killOfProcess1FromInsideIsNoEnd() {
        engine.start("immune", WAITS);
        engine.docker("exec", "immune", "/bin/sh", "-c", "kill -9 1");
        assertThat(ends.of("immune")).isEmpty();
        engine.docker("kill", "immune");
        ends.only("immune", Cause.CLIENT_KILL, Certainty.CONFIRMED);
    }

    @Test
    void killByAPeerInTheSameContainer() {
        // Without a pid namespace of its own, its main process is not immune to its children.
        engine.start("parricide", "sh -c 'sleep 0.5; kill -9 '$$'; sleep 0.3' & wait", "--pid=host");
        ExitEvent end = ends.only("parricide", ExitEvent::hasSender);
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
        ExitEvent end = ends.only("neighbour", Cause.HOST_PROCESS, Certainty.CONFIRMED);
        assertThat(end.getSender().getContainer().getName()).isEqualTo("murderer");
    }

    @Test
    void theProgramsOwn137() {
        engine.start("liar", "sleep 1000 & sleep 0.2; kill -9 $!; wait $!; exit 137");
        ExitEvent end = ends.only("liar", Cause.OWN_EXIT, Certainty.CONFIRMED);
        assertThat(end.hasSignal()).isFalse();
        assertThat(end.getExplanation()).contains("by itself with code 137");
    }

    @Test
    void timeoutInsideTheContainer() {
        engine.start("timed-out", "timeout -s KILL 1 sleep 100; exit $?");
        ends.only("timed-out", Cause.OWN_EXIT, Certainty.CONFIRMED);
    }

    @Test
    void anExitOfItsOwnWithTheKillsThatFollow() {
        engine.start("quits", "sleep 500 & sleep 501 & sleep 0.3; exit 3");
        ExitEvent end = ends.only("quits", Cause.OWN_EXIT, Certainty.SINGLE_SOURCE);
        assertThat(end.getExitCode()).isEqualTo(3);
        assertThat(end.getSecondaryKillsCount()).isPositive();
    }

    @Test
    void theEndOfTheNamespacesFirstProcess() {
        engine.start("first", WAITS);
        engine.start("second", WAITS, "--pid=container:first");
        engine.docker("kill", "first");
        ends.only("first", Cause.CLIENT_KILL, Certainty.CONFIRMED);
        ends.only("second", Cause.CONTAINER_INIT_DIED, Certainty.CONFIRMED);
    }

    @Test
    void theLimitOfProcessorTime() {
        engine.start("busy", "ulimit -t 1; while :; do :; done");
        ends.only("busy", Cause.CPU_LIMIT, Certainty.CONFIRMED);
    }

    @Test
    void aProgramThatIsNotThere() {
        assertThat(engine.tryDocker("run", "--name", "missing", "--network", "none", Containerd.IMAGE, "/no/such"))
                .isEqualTo(127);
        ends.only("missing", Cause.NOT_FOUND, Certainty.SINGLE_SOURCE);
    }

    /** It is removed some milliseconds after its failure, of which Docker has no event. */
    @Test
    void aProgramThatIsNotThereInAContainerThatIsRemovedAtOnce() {
        assertThat(engine.tryDocker(
                        "run", "--rm", "--name", "missing-rm", "--network", "none", Containerd.IMAGE, "/no/such"))
                .isEqualTo(127);
        ends.only("missing-rm", Cause.NOT_FOUND, Certainty.SINGLE_SOURCE);
    }

    @Test
    void aProgramThatIsADirectory() {
        assertThat(engine.tryDocker("run", "--name", "directory", "--network", "none", Containerd.IMAGE, "/bin"))
                .isEqualTo(126);
        ends.only("directory", Cause.NOT_EXECUTABLE, Certainty.SINGLE_SOURCE);
    }

    @Test
    void aCrashOfAChildWhoseCodeTheShellPassesOn() {
        engine.start("crashed", "sh -c 'kill -SEGV $$'; exit $?");
        ExitEvent end = ends.only("crashed", Cause.CRASH, Certainty.INFERRED);
        assertThat(end.getExitCode()).isEqualTo(139);
    }

    @Test
    void aCallThatTheSeccompProfileForbids() throws IOException {
        Path profile = ends.out().resolve("seccomp.json");
        Files.writeString(profile, """
                {"defaultAction": "SCMP_ACT_ALLOW",
                 "syscalls": [{"names": ["sync"], "action": "SCMP_ACT_KILL_PROCESS"}]}
                """);
        engine.start("confined", "sleep 0.2; exec sync", "--security-opt", "seccomp=" + profile);
        // Without auditd, the kernel's log has the record.
        ExitEvent end = ends.only("confined", event -> event.getCause() == Cause.SECCOMP);
        assertThat(end.getCertainty()).isIn(Certainty.INFERRED, Certainty.CONFIRMED);
    }

    @Test
    void theShimsDeath() {
        Container orphan = engine.start("orphan", WAITS);
        ends.shell("kill -9 $(awk '/^PPid/ {print $2}' /proc/" + orphan.mainPid() + "/status)");
        ExitEvent end = ends.only("orphan", Cause.SHIM_DIED, Certainty.CONFIRMED);
        assertThat(end.getSender().getExe()).isNotEmpty();
    }

    @Test
    void aKillThatDockerWasNotAskedFor() {
        Container task = engine.start("task", WAITS);
        ends.shell(
                "ctr --address " + engine.containerdSocket() + " --namespace moby task kill --signal 9 " + task.id());
        ExitEvent end = ends.only("task", event -> event.hasSender());
        // runc lives for a millisecond after its kill, and Docker has no record of it: without runc's executable the
        // cause is inferred, and without its parent unknown.
        if (end.getCause() == Cause.UNKNOWN) {
            assertThat(end.getSender().getExe()).isEmpty();
            assertThat(end.hasAskedBy()).isFalse();
        } else {
            assertThat(end.getCause()).isEqualTo(Cause.RUNTIME_KILL);
            assertThat(end.getCertainty()).isIn(Certainty.CONFIRMED, Certainty.INFERRED);
            DockerEnds.assertAsked(end, AskedBy.Kind.CONTAINERD_CLIENT, "");
        }
    }

    @Test
    void aSuccessIsNoEvent() {
        engine.start("content", "sleep 0.2; exit 0");
        engine.docker("wait", "content");
        engine.start("after", "sleep 0.2; exit 1");
        ends.only("after", Cause.OWN_EXIT, Certainty.SINGLE_SOURCE);
        assertThat(ends.of("content")).isEmpty();
    }

    /** Every event of the other tests has had the time for a second one. */
    @Test
    void aRemovedContainerHasStillOneEnd() throws InterruptedException {
        engine.start("removed-later", WAITS);
        engine.docker("kill", "removed-later");
        ends.only("removed-later", Cause.CLIENT_KILL, Certainty.CONFIRMED);
        engine.docker("rm", "removed-later");
        TimeUnit.MILLISECONDS.sleep(QUIET.toMillis());
        assertThat(ends.of("removed-later")).hasSize(1);
    }
}
