package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.nativetest.DockerEngine.Container;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Subject;
import dev.exit137.proto.v1.ExitFilter;
import dev.exit137.proto.v1.Losses;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A storm of SIGKILLs through the whole agent, on this machine's own kernel, beside containers that end meanwhile. */
@Tag("kernel")
@Timeout(value = 10, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SignalStormTest {
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final int KILLS = 2000;
    private static final int KILLS_WITHOUT_AN_AGENT = 300;
    private static final String WAITS = "while :; do sleep 0.1; done";
    private static final List<String> FLAGS = List.of("--process-exits=on", "--systemd-bus=off");

    private final Path out = Bed.freshDirectory("signal-storm");
    private DockerEngine engine;
    private LiveAgent agent;

    @BeforeEach
    void start() {
        DockerTest.skipWhereDockerCannotRun();
        engine = DockerEngine.start(out);
        startAgent();
        Optional<SourceStatus> trace =
                Bed.await("the state of the trace", LIMIT, () -> agent.source("trace"), Optional::isPresent);
        if (trace.orElseThrow().getState() != State.ACTIVE) {
            Bed.skip("a storm of signals", trace.orElseThrow().getDetail());
        }
    }

    private void startAgent() {
        agent = LiveAgent.startWithDocker(out.resolve("agent"), engine.socket(), FLAGS);
        agent.awaitRuntime(State.ACTIVE);
    }

    @AfterEach
    void end() {
        Bed.close(agent, engine);
    }

    /**
     * A shell that kills its children one after the other, and runs a script in the middle. It writes its own pid and those
     * of its children to {@code pids}, and lives until its input ends.
     */
    private Process storm(int kills, String inTheMiddle) throws IOException {
        Process shell = new ProcessBuilder("bash", "-c", """
                for i in {1..%1$d}; do sleep 600 & victims[i]=$!; done
                echo $$ ${victims[@]} > pids.new; mv pids.new pids
                for i in {1..%1$d}; do
                  kill -9 ${victims[i]}
                  if ((i == %1$d / 2)); then
                    %2$s
                  fi
                done 2> /dev/null
                touch over
                read -r end
                """.formatted(kills, inTheMiddle))
                .directory(out.toFile())
                .redirectError(out.resolve("storm.err").toFile())
                .start();
        Bed.await("the end of the storm", LIMIT, () -> Files.exists(out.resolve("over")), over -> over);
        return shell;
    }

    /** The shell's pid, then its victims'. */
    private List<Integer> pids() {
        return List.of(Bed.lines(out.resolve("pids")).getFirst().split(" ")).stream()
                .map(Integer::valueOf)
                .toList();
    }

    private static void end(Process shell) throws IOException, InterruptedException {
        shell.outputWriter().close();
        shell.waitFor();
    }

    private ExitEvent onlyEnd(String container, Predicate<ExitEvent> wanted) {
        List<ExitEvent> ends = Bed.await(
                "the end of " + container,
                LIMIT,
                () -> agent.exits(container),
                found -> found.stream().anyMatch(wanted));
        assertThat(ends).as(container).hasSize(1);
        System.out.println("END " + container + ": " + ends.getFirst().getCause()
                + (ends.getFirst().getRecovered() ? " recovered: " : ": ")
                + ends.getFirst().getExplanation());
        return ends.getFirst();
    }

    private List<ExitEvent> endsOf(Set<Integer> victims) {
        return agent.exits(ExitFilter.getDefaultInstance()).stream()
                .filter(end -> end.getSubject() == Subject.PROCESS
                        && victims.contains(end.getProcess().getPid()))
                .toList();
    }

    /** Each has one event, and the shell is the only sender that any of them names. */
    private static void assertSentBy(int shell, List<ExitEvent> ends) {
        assertThat(ends.stream().map(end -> end.getProcess().getPid()).collect(Collectors.toSet()))
                .hasSameSizeAs(ends);
        assertThat(ends).allSatisfy(end -> {
            assertThat(end.getCause()).isIn(Cause.HOST_PROCESS, Cause.UNKNOWN);
            assertThat(end.getSender().getPid()).isEqualTo(shell);
            assertThat(end.getSender().getExe()).matches("|.*/bash");
        });
    }

    private static long lost(Losses losses) {
        return losses.getTraceRecordsOverwritten() + losses.getSignalsDropped() + losses.getProcessExitsDropped();
    }

    @Test
    void inAStormNoSenderIsWrongAndEveryLossIsCounted() throws Exception {
        engine.start("storm-killed", WAITS);
        Container shot = engine.start("storm-shot", WAITS);
        engine.start("storm-stopped", "trap 'exit 3' TERM; " + WAITS);
        Container liar = engine.start("storm-liar", "read line </bed/go; exit 137");

        // The kernel kills its child as it ends.
        Container well = engine.launch("storm-well", "sleep 600 & sleep 1; exit 0");
        engine.docker("wait", well.id());

        Process shell = storm(
                KILLS,
                "kill -9 " + shot.mainPid() + "; docker -H unix://" + engine.socket()
                        + " kill storm-killed > /dev/null & docker -H unix://" + engine.socket()
                        + " stop storm-stopped > /dev/null & echo go > " + liar.gate());
        int sender = pids().getFirst();
        Set<Integer> victims = new HashSet<>(pids().subList(1, pids().size()));
        assertThat(victims).hasSize(KILLS);

        // In a storm the trace may have gaps, which are counted; then a sender is unknown, but never another one.
        ExitEvent killed = onlyEnd("storm-killed", end -> end.getCause() != Cause.UNKNOWN);
        assertThat(killed.getCause()).isEqualTo(Cause.CLIENT_KILL);
        ExitEvent stopped = onlyEnd("storm-stopped", end -> end.getExitCode() == 3);
        assertThat(stopped.getCause()).isEqualTo(Cause.STOPPED);
        ExitEvent byShell = onlyEnd("storm-shot", end -> true);
        assertThat(byShell.getCause()).isIn(Cause.HOST_PROCESS, Cause.UNKNOWN);
        if (byShell.hasSender()) {
            assertThat(byShell.getSender().getPid()).isEqualTo(sender);
        }
        ExitEvent own = onlyEnd("storm-liar", end -> true);
        assertThat(own.getCause()).isIn(Cause.OWN_EXIT, Cause.UNKNOWN);
        assertThat(own.hasSender()).isFalse();

        List<ExitEvent> ends = Bed.await(
                "an event or a count for each of the kills",
                LIMIT,
                () -> endsOf(victims),
                found -> found.size() + lost(agent.losses()) >= KILLS);
        Losses losses = agent.losses();
        System.out.println("a storm of " + KILLS + " kills: " + ends.size() + " events, "
                + losses.getProcessExitsDropped() + " more than are reported, " + losses.getTraceRecordsOverwritten()
                + " records and " + losses.getSignalsDropped() + " signals lost");
        assertThat(ends).isNotEmpty();
        assertSentBy(sender, ends);
        agent.awaitCountedAtLeast(
                "exit137_losses_total{kind=\"process_exits_dropped\"}", losses.getProcessExitsDropped());
        assertThat(agent.exits(well.id())).as("a container that ended well").isEmpty();
        if (losses.getTraceRecordsOverwritten() + losses.getSignalsDropped() == 0) {
            assertThat(byShell.getCause()).isEqualTo(Cause.HOST_PROCESS);
            assertThat(own.getCause()).isEqualTo(Cause.OWN_EXIT);
        }
        end(shell);
    }

    @Test
    void anAgentThatIsKilledInAStormReportsEachEndOnce() throws Exception {
        engine.start("down-killed", WAITS);
        Container shot = engine.start("down-shot", WAITS);
        Container before = engine.start("shot-before", WAITS);
        engine.start("killed-before", WAITS);
        engine.docker("kill", "killed-before");
        onlyEnd("killed-before", end -> end.getCause() == Cause.CLIENT_KILL);

        // The agent may have read this signal, and is gone before the runtime tells of the end.
        Bed.run(out, "kill", LIMIT, new ProcessBuilder("bash", "-c", "kill -9 " + before.mainPid()));
        agent.kill();
        agent.close();
        Process shell = storm(
                KILLS_WITHOUT_AN_AGENT,
                "kill -9 " + shot.mainPid() + "; docker -H unix://" + engine.socket()
                        + " kill down-killed > /dev/null");
        int sender = pids().getFirst();
        Set<Integer> victims = new HashSet<>(pids().subList(1, pids().size()));
        startAgent();

        ExitEvent killed = onlyEnd("down-killed", end -> end.getCause() != Cause.UNKNOWN);
        assertThat(killed.getCause()).isEqualTo(Cause.CLIENT_KILL);
        assertThat(killed.getRecovered()).isTrue();
        // Docker has forgotten their pids, so nobody knows whether a SIGKILL reached them.
        for (String name : List.of("down-shot", "shot-before")) {
            ExitEvent end = onlyEnd(name, found -> true);
            assertThat(end.getCause()).as(end.getExplanation()).isIn(Cause.HOST_PROCESS, Cause.UNKNOWN);
            assertThat(end.getSender().getExe()).matches("|.*/bash");
        }
        assertThat(agent.exits("down-shot").getFirst().getRecovered()).isTrue();

        List<ExitEvent> ends = Bed.await(
                "an event or a count for each of the kills",
                LIMIT,
                () -> endsOf(victims),
                found -> found.size() + lost(agent.losses()) >= KILLS_WITHOUT_AN_AGENT);
        assertThat(ends).isNotEmpty().allMatch(ExitEvent::getRecovered);
        assertSentBy(sender, ends);
        assertThat(agent.exits("killed-before"))
                .as("it was reported by the agent before")
                .hasSize(1);
        end(shell);
    }
}
