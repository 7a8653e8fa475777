package dev.exit137.nativetest;

import static dev.exit137.nativetest.DockerEnds.WAITS;
import static dev.exit137.nativetest.DockerEnds.assertAsked;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.nativetest.DockerEngine.Container;
import dev.exit137.proto.v1.AskedBy;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Certainty;
import dev.exit137.proto.v1.ProcessRef;
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
 * The ways in which a process can kill the main process of a container, or have the kernel do it: each is one event with
 * its cause and its sender. {@link DockerExitsTest} has what a client of Docker can do.
 */
@Tag("kernel")
@Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DockerKillWaysTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    /** Of a person, as a login sets it. */
    private static final String LOGIN = "echo 1000 > /proc/self/loginuid; ";

    private static DockerEnds ends;
    private static DockerEngine engine;
    private static Path ways;

    @BeforeAll
    static void start() {
        for (String program : new String[] {"gcc", "make"}) {
            if (Bed.find(program).isEmpty()) {
                Bed.skip("ways to kill a container", "no " + program + " on PATH");
            }
        }
        ways = Bed.buildTools().resolve("ways");
        ends = DockerEnds.start("docker-kill-ways");
        engine = ends.engine();
    }

    @AfterAll
    static void end() {
        Bed.close(ends);
    }

    /** A container whose main process is the program of the bed. */
    private static Container startWay(String name, String way, String... options) {
        String[] all = new String[options.length + 2];
        System.arraycopy(options, 0, all, 2, options.length);
        all[0] = "--volume";
        all[1] = ways + ":/bin/ways";
        return engine.start(name, "exec ways " + way, all);
    }

    private static void killedByWay(String way, String systemCall) {
        Container victim = engine.start("by-" + way, WAITS);
        ends.run(ways.toString(), way, Integer.toString(victim.mainPid()));
        ExitEvent end = ends.only(victim.name(), Cause.HOST_PROCESS, Certainty.CONFIRMED);
        assertThat(end.getSender().getExe()).isEqualTo(ways.toString());
        assertThat(end.getKernelPathList()).anyMatch(frame -> frame.endsWith(systemCall));
        assertAsked(end, AskedBy.Kind.PROGRAM, "ways");
        assertThat(end.getSignal()).isEqualTo(9);
    }

    @Test
    void aSignalToAThread() {
        killedByWay("tgkill", "sys_tgkill");
        killedByWay("tkill", "sys_tkill");
    }

    @Test
    void aSignalThroughAPidfd() {
        killedByWay("pidfd", "sys_pidfd_send_signal");
    }

    @Test
    void aQueuedSignal() {
        killedByWay("sigqueue", "sys_rt_sigqueueinfo");
    }

    @Test
    void aSignalToTheWholeProcessGroup() {
        killedByWay("group", "sys_kill");
        // On cgroup v1 the agent may be too late to see whose process each of the others was.
        assertThat(ends.of("by-group").getFirst().getSecondaryKillsList())
                .extracting(ProcessRef::getComm)
                .allMatch(comm -> comm.equals("sleep") || comm.equals("sh"));
    }

    @Test
    void theEndOfItsTracer() {
        Container victim = engine.start("traced", WAITS);
        ends.run(ways.toString(), "tracer", Integer.toString(victim.mainPid()));
        ExitEvent end = ends.only("traced", Cause.TRACER_DIED, Certainty.CONFIRMED);
        assertThat(end.hasSender()).as("nobody sent it").isFalse();
        assertThat(end.hasAskedBy()).isFalse();
    }

    @Test
    void aCgroupThatIsKilledAsAWhole() throws IOException {
        Path v2 = Files.exists(Path.of("/sys/fs/cgroup/cgroup.controllers"))
                ? Path.of("/sys/fs/cgroup")
                : Path.of("/sys/fs/cgroup/unified");
        Path cgroup = v2.resolve("exit137-ways-" + ProcessHandle.current().pid());
        if (!Files.exists(v2.resolve("cgroup.controllers"))) {
            Bed.skip("cgroup.kill", "no cgroup v2 on this machine");
        }
        Files.createDirectory(cgroup);
        try {
            Container victim = engine.start("of-cgroup", WAITS);
            Files.writeString(cgroup.resolve("cgroup.procs"), Integer.toString(victim.mainPid()));
            ends.shell("echo 1 > " + cgroup.resolve("cgroup.kill"));
            ExitEvent end = ends.only("of-cgroup", Cause.CGROUP_KILL, Certainty.CONFIRMED);
            assertThat(end.getSender().getExe()).endsWith("/bash");
            assertAsked(end, AskedBy.Kind.PROGRAM, "bash");
        } finally {
            Bed.await(
                    "an empty cgroup",
                    LIMIT,
                    () -> Bed.lines(cgroup.resolve("cgroup.procs")),
                    procs -> procs.isEmpty());
            Files.delete(cgroup);
        }
    }

    /** The freezer of cgroup v1: the signal is sent at once, and ends the process when it may run again. */
    @Test
    void aKillOfAFrozenContainerEndsItLater() throws InterruptedException {
        Container victim = engine.start("frozen-victim", WAITS);
        engine.docker("pause", "frozen-victim");
        ends.shell("kill -9 " + victim.mainPid());
        ends.shell("sleep 10");
        engine.docker("unpause", "frozen-victim");
        ExitEvent end = ends.only("frozen-victim", Cause.HOST_PROCESS, Certainty.CONFIRMED);
        assertThat(end.getSender().getExe()).endsWith("/bash");
        assertAsked(end, AskedBy.Kind.PROGRAM, "bash");
    }

    @Test
    void theEndOfItsParent() {
        Container victim = startWay("orphaned", "orphan");
        ends.shell("kill -15 $(awk '/^PPid/ {print $2}' /proc/" + victim.mainPid() + "/status)");
        ends.only("orphaned", Cause.PARENT_DIED, Certainty.CONFIRMED);
    }

    @Test
    void aProcessThatKillsItself() {
        startWay("suicide", "itself", "--pid=host");
        ExitEvent end = ends.only("suicide", Cause.SAME_CONTAINER_PROCESS, Certainty.CONFIRMED);
        assertThat(end.getExplanation()).contains("itself");
    }

    /** The kernel drops the kill; what the program does later is its own. */
    @Test
    void aKillFromItsOwnNamespaceDoesNotExplainALaterEnd() {
        Container victim = engine.start("survivor", "read line </bed/go; exit 137");
        ends.shell("nsenter --target " + victim.mainPid() + " --pid bash -c 'kill -9 1; sleep 2; :'");
        assertThat(ends.of("survivor")).isEmpty();
        victim.open();
        ExitEvent end = ends.only("survivor", Cause.OWN_EXIT, Certainty.CONFIRMED);
        assertThat(end.hasSender()).isFalse();
        assertThat(end.hasSignal()).isFalse();
    }

    /** The trace has no signal: the kernel's audit record is all. With auditd it is not in the kernel's log. */
    @Test
    void theStrictModeOfSeccomp() {
        if (Bed.find("auditd").isPresent()) {
            Bed.skip("the strict mode of seccomp", "auditd may take the kernel's audit records");
        }
        // With a filter, the kernel refuses the strict mode.
        startWay("strict", "strict", "--security-opt", "seccomp=unconfined");
        ExitEvent end = ends.only("strict", Cause.SECCOMP, Certainty.CONFIRMED);
        assertThat(end.getSignal()).isEqualTo(9);
        assertThat(end.hasSender()).isFalse();
    }

    @Test
    void aCrash() {
        startWay("crasher", "crash");
        ExitEvent end = ends.only("crasher", Cause.CRASH, Certainty.INFERRED);
        assertThat(end.getExitCode()).isEqualTo(139);
    }

    @Test
    void aKillOfTheProgramThatAShellRuns() {
        Container victim = engine.start("nested", "sh -c 'while :; do sleep 0.1; done'; exit $?");
        String program = Bed.lines(Path.of("/proc/" + victim.mainPid() + "/task/" + victim.mainPid() + "/children"))
                .getFirst()
                .strip();
        ends.shell("kill -9 " + program);
        ExitEvent end = ends.only("nested", Cause.OWN_EXIT, Certainty.CONFIRMED);
        assertThat(end.getExitCode()).isEqualTo(137);
        assertThat(end.hasSignal()).isFalse();
        // On cgroup v1 the agent may be too late to see whose process it was.
        if (end.getExplanation().contains("was killed by SIGKILL before")) {
            assertThat(end.getExplanation())
                    .contains("sh (pid " + program + ")", "by /usr/bin/bash (pid ")
                    .doesNotContain("sleep");
        }
    }

    @Test
    void aPersonAtATerminal() {
        if (Bed.find("script").isEmpty()) {
            Bed.skip("a person at a terminal", "no script on PATH");
        }
        Container victim = engine.start("by-person", WAITS);
        ends.run(
                "script",
                "--quiet",
                "--return",
                "--command",
                "bash -c '" + LOGIN + "kill -9 " + victim.mainPid() + "; sleep 2; :'",
                "/dev/null");
        ExitEvent end = ends.only("by-person", Cause.HOST_PROCESS, Certainty.CONFIRMED);
        assertAsked(end, AskedBy.Kind.PERSON, "bash");
        assertThat(end.getSender().getTty()).startsWith("/dev/pts/");
        assertThat(end.getSender().getLoginuid()).isEqualTo(1000);
        assertThat(end.getExplanation()).as("who is in the sender alone").doesNotContain("1000", "pts");
    }

    /**
     * The real earlyoom, at its limit at once. It is in the pid namespace of the two containers and has a /proc of its own,
     * so it sees and can kill their processes alone; it spares process 1.
     */
    @Test
    void earlyoom() throws Exception {
        Path program = Bed.find("earlyoom").orElse(Bed.MODULE.resolve("target/earlyoom/usr/bin/earlyoom"));
        if (!Files.isExecutable(program)) {
            Bed.skip("earlyoom", "no earlyoom on PATH or in target; on Debian: bin/setup test");
        }
        Container first = engine.start("spared", "exec sleep 1000");
        engine.start("of-earlyoom", "exec sleep 1000", "--pid=container:spared", "--oom-score-adj=900");
        // Where no user may put a program: one in a home directory is not believed.
        Process earlyoom = new ProcessBuilder(
                        "timeout",
                        "60",
                        "nsenter",
                        "--target",
                        Integer.toString(first.mainPid()),
                        "--pid",
                        "unshare",
                        "--mount-proc",
                        "sh",
                        "-c",
                        "mount --bind " + program.getParent() + " /srv && exec /srv/earlyoom -m 99,99 -s 100,100")
                .redirectErrorStream(true)
                .redirectOutput(ends.out().resolve("earlyoom.log").toFile())
                .start();
        try {
            ExitEvent end = ends.only("of-earlyoom", Cause.PRESSURE_KILLER, Certainty.CONFIRMED);
            assertThat(end.getSender().getExe()).isEqualTo("/srv/earlyoom");
            assertAsked(end, AskedBy.Kind.PROGRAM, "earlyoom");
            assertThat(ends.of("spared")).isEmpty();
        } finally {
            Bed.end(earlyoom);
        }
    }

    @Test
    void aJobWithoutATerminalAndWithoutALogin() {
        Container victim = engine.start("by-job", WAITS);
        ends.run("setsid", "--wait", "bash", "-c", "kill -9 " + victim.mainPid() + "; sleep 2; :");
        ExitEvent end = ends.only("by-job", Cause.HOST_PROCESS, Certainty.CONFIRMED);
        assertThat(end.getSender().getTty()).isEmpty();
        if (!end.getSender().hasLoginuid()) {
            assertAsked(end, AskedBy.Kind.PROGRAM, "bash");
        }
    }
}
