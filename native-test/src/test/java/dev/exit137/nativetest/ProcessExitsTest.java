package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.AskedBy;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Subject;
import dev.exit137.proto.v1.ExitFilter;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The ways in which a SIGKILL ends a process of the host, on this machine's own kernel ({@code --process-exits=on}). */
@Tag("kernel")
@Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ProcessExitsTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static final int SHELLS = 200;
    private static final String PERL = "perl";
    // pidfd_open(2), pidfd_send_signal(2); ptrace(2) with PTRACE_SEIZE and PTRACE_O_EXITKILL, on x86_64 and aarch64
    private static final int PIDFD_OPEN = 434;
    private static final int PIDFD_SEND_SIGNAL = 424;
    private static final int PTRACE = System.getProperty("os.arch").equals("aarch64") ? 117 : 101;

    private static Path out;
    private static LiveAgent agent;

    @BeforeAll
    static void start() {
        out = Bed.freshDirectory("process-exits");
        if (!System.getProperty("user.name").equals("root")) {
            Bed.skip("ends of processes", "not root, so the agent cannot read the kernel's trace of signals");
        }
        agent = LiveAgent.startWithDocker(
                out.resolve("agent"), out.resolve("no.sock"), List.of("--process-exits=on", "--systemd-bus=off"));
        Optional<SourceStatus> trace =
                Bed.await("the state of the trace", LIMIT, () -> agent.source("trace"), Optional::isPresent);
        if (trace.orElseThrow().getState() != State.ACTIVE) {
            end();
            Bed.skip("ends of processes", trace.orElseThrow().getDetail());
        }
    }

    @AfterAll
    static void end() {
        Bed.close(agent);
    }

    /** Runs the script, which prints a victim's pid first; a sender stays until this method returns. */
    private static ExitEvent endOf(String script, Cause cause) throws IOException, InterruptedException {
        Process shell = new ProcessBuilder("bash", "-c", script + "\nread -r end")
                .directory(out.toFile())
                .start();
        try {
            int victim = Integer.parseInt(shell.inputReader().readLine());
            ExitEvent end = Bed.await(
                            "the end of process " + victim,
                            LIMIT,
                            () -> endsOf(victim),
                            ends -> ends.stream().anyMatch(event -> event.getCause() == cause))
                    .getFirst();
            System.out.println("END " + victim + ": " + cause + " " + end.getCertainty() + ": " + end.getExplanation());
            assertThat(endsOf(victim)).hasSize(1);
            assertThat(end.getSubject()).isEqualTo(Subject.PROCESS);
            assertThat(end.getExitCode()).isEqualTo(137);
            assertThat(end.getSignal()).isEqualTo(9);
            assertThat(end.getKernelPathList()).isNotEmpty();
            assertThat(end.getRecovered()).isFalse();
            return end;
        } finally {
            shell.outputWriter().close();
            shell.waitFor();
        }
    }

    private static List<ExitEvent> endsOf(int pid) {
        return agent.exits(ExitFilter.getDefaultInstance()).stream()
                .filter(end -> end.getProcess().getPid() == pid)
                .toList();
    }

    @Test
    void killOfAShell() throws Exception {
        ExitEvent end = endOf("sleep 600 & echo $!; sleep 0.2; kill -9 $!", Cause.HOST_PROCESS);
        assertThat(end.getSender().getExe()).endsWith("/bash");
        assertThat(end.getAskedBy().getKind()).isIn(AskedBy.Kind.PERSON, AskedBy.Kind.PROGRAM);
        assertThat(end.getProcess().getComm()).isEqualTo("sleep");
        assertThat(end.getProcess().getExe())
                .isIn("", Bed.find("sleep").orElseThrow().toRealPath().toString());
        Bed.Finished why = Bed.run(
                out,
                "why",
                LIMIT,
                new ProcessBuilder(
                        Bed.exit137(), "why", "pid:" + end.getProcess().getPid(), "--server", agent.address()));
        assertThat(why.status()).as(why.errText()).isZero();
        assertThat(why.outLines())
                .anyMatch(line -> line.contains(end.getExplanation().split(" killed ")[0]));
    }

    @Test
    void killThroughAPidfd() throws Exception {
        skipWithoutPerl();
        ExitEvent end = endOf(
                "exec perl -e '$| = 1; $p = fork; if (!$p) { sleep 600; exit } print \"$p\\n\"; select(undef, undef, undef, 0.2);"
                        + " syscall(" + PIDFD_SEND_SIGNAL + ", syscall(" + PIDFD_OPEN + ", $p, 0), 9, 0, 0); <STDIN>'",
                Cause.HOST_PROCESS);
        assertThat(end.getSender().getExe()).contains("perl");
        assertThat(end.getKernelPathList()).anyMatch(frame -> frame.contains("pidfd"));
    }

    private static void skipWithoutPerl() {
        if (Bed.find(PERL).isEmpty()) {
            Bed.skip("kills by system calls that no shell makes", "there is no perl on PATH");
        }
    }

    @Test
    void theEndOfAParent() throws Exception {
        if (Bed.find("setpriv").isEmpty()) {
            Bed.skip("PR_SET_PDEATHSIG", "there is no setpriv on PATH (util-linux)");
        }
        ExitEvent end = endOf(
                "bash -c 'setpriv --pdeathsig KILL sleep 600 & echo $!; until [[ $(< /proc/$!/comm) == sleep ]]; do :; done'",
                Cause.PARENT_DIED);
        assertThat(end.hasSender()).isFalse();
    }

    @Test
    void theLimitOfProcessorTime() throws Exception {
        ExitEvent end = endOf("bash -c 'ulimit -t 1; echo $$; while :; do :; done'", Cause.CPU_LIMIT);
        assertThat(end.hasSender()).isFalse();
    }

    @Test
    void theEndOfATracer() throws Exception {
        skipWithoutPerl();
        ExitEvent end = endOf(
                "sleep 600 & echo $!; sleep 0.2; perl -e 'syscall(" + PTRACE + ", 0x4206, "
                        + "$ARGV[0] + 0, 0, 1 << 20)" + " == 0 or die $!' $!",
                Cause.TRACER_DIED);
        assertThat(end.hasSender()).isFalse();
    }

    @Test
    void aWriteToCgroupKill() throws Exception {
        Path mount = Files.createDirectories(out.resolve("cgroup2"));
        Bed.Finished mounted =
                Bed.run(out, "mount", LIMIT, new ProcessBuilder("mount", "-t", "cgroup2", "cgroup2", mount.toString()));
        if (mounted.status() != 0) {
            Bed.skip("cgroup.kill", "cgroup2 cannot be mounted: " + mounted.errText());
        }
        Path cgroup = mount.resolve("exit137-bed-killed");
        try {
            Files.createDirectories(cgroup);
            if (!Files.exists(cgroup.resolve("cgroup.kill"))) {
                Bed.skip("cgroup.kill", "this kernel has none (Linux 5.14)");
            }
            ExitEvent end = endOf(
                    "sleep 600 & echo $!; echo $! > " + cgroup + "/cgroup.procs; sleep 0.2; echo 1 > " + cgroup
                            + "/cgroup.kill",
                    Cause.CGROUP_KILL);
            assertThat(end.getSender().getExe()).endsWith("/bash");
        } finally {
            Bed.await("the empty cgroup", LIMIT, () -> cgroup.toFile().delete(), deleted -> deleted);
            Bed.run(out, "umount", LIMIT, new ProcessBuilder("umount", mount.toString()));
        }
    }

    /** A process that ends by itself, with whatever code, is no event; a kill that came after them all is. */
    @Test
    void shellsThatExitAreNoEvents() throws Exception {
        String shells =
                "for i in {1.." + SHELLS + "}; do bash -c \"echo \\$\\$; exit $((i % 2 * 137))\"; done > shells; ";
        endOf(shells + "sleep 600 & echo $!; sleep 0.2; kill -9 $!", Cause.HOST_PROCESS);
        List<Integer> pids =
                Bed.lines(out.resolve("shells")).stream().map(Integer::valueOf).toList();
        assertThat(pids).hasSize(SHELLS);
        assertThat(agent.exits(ExitFilter.getDefaultInstance()))
                .extracting(end -> end.getProcess().getPid())
                .doesNotContainAnyElementsOf(pids);
    }
}
