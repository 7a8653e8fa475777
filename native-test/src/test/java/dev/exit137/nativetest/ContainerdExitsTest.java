package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.AskedBy;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Certainty;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The ways in which a container of containerd alone ends, with {@code ctr} as its client and without the CRI. */
@Tag("kernel")
@Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ContainerdExitsTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static final String NAMESPACE = "bed";
    private static final String WAITS = "while :; do sleep 0.1; done";

    private static Path out;
    private static Containerd containerd;
    private static Pods cgroups;
    private static String cgroup;
    private static LiveAgent agent;

    @BeforeAll
    static void start() {
        ContainersTest.skipWhereContainerdCannotRun("the ends of containerd's containers");
        out = Bed.freshDirectory("containerd-exits");
        cgroup = "/exit137-ctr-" + ProcessHandle.current().pid();
        try {
            containerd = Containerd.start(out);
            // It ends what is left in them.
            cgroups = new Pods(containerd, ContainersTest.MEMORY, cgroup);
            Path image = out.resolve("image.tar");
            assertThat(Bed.run(
                                    out,
                                    "image",
                                    LIMIT,
                                    new ProcessBuilder(
                                            Containerd.SOURCE
                                                    .resolve("image.sh")
                                                    .toString(),
                                            image.toString()))
                            .status())
                    .isZero();
            ctr("images", "import", "--snapshotter", "native", image.toString());
            agent = LiveAgent.start(out.resolve("agent"), containerd.socket());
            agent.awaitRuntime(State.ACTIVE);
            Bed.await(
                    "containerd's events",
                    LIMIT,
                    () -> agent.source("containerd-events").map(SourceStatus::getState),
                    state -> state.equals(Optional.of(State.ACTIVE)));
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
        Bed.close(cgroups, agent, containerd);
    }

    /** @return what it printed */
    private static List<String> ctr(String... arguments) {
        List<String> command =
                new ArrayList<>(List.of("ctr", "--address", containerd.socket().toString(), "--namespace", NAMESPACE));
        command.addAll(List.of(arguments));
        Bed.Finished finished = Bed.run(out, "ctr", LIMIT, new ProcessBuilder(command));
        assertThat(finished.status()).as(command + ": " + finished.errText()).isZero();
        return finished.outLines();
    }

    private static void start(String id, String script) {
        ctr(
                "run",
                "--detach",
                "--snapshotter",
                "native",
                // runc keeps what an earlier run left in its usual place.
                "--runc-root",
                containerd.directory("runc").toString(),
                "--cgroup",
                cgroup + "/" + id,
                Containerd.IMAGE,
                id,
                "/bin/sh",
                "-c",
                script);
    }

    private static int mainPid(String id) {
        return ctr("task", "ls").stream()
                .map(line -> line.trim().split("\\s+"))
                .filter(fields -> fields[0].equals(id))
                .map(fields -> Integer.valueOf(fields[1]))
                .findFirst()
                .orElseThrow();
    }

    private static void shell(String script) {
        Bed.Finished finished =
                Bed.run(out, "shell", LIMIT, new ProcessBuilder("/bin/bash", "-c", script + "; sleep 2; :"));
        assertThat(finished.status()).as(finished.errText()).isZero();
    }

    private static ExitEvent onlyEnd(String id, Predicate<ExitEvent> wanted) {
        try {
            Bed.await(
                    "the end of " + id,
                    LIMIT,
                    () -> agent.exits(id),
                    ends -> ends.stream().anyMatch(wanted));
        } catch (AssertionError e) {
            throw new AssertionError(id + " did not end as expected: " + agent.exits(id), e);
        }
        assertThat(agent.exits(id)).hasSize(1);
        ExitEvent end = agent.exits(id).getFirst();
        System.out.println(
                "END " + id + ": " + end.getCause() + " " + end.getCertainty() + ": " + end.getExplanation());
        assertThat(end.getContainer().getRuntime()).isEqualTo("containerd");
        assertThat(end.getEvidenceList()).contains(Evidence.CONTAINERD).doesNotContain(Evidence.CRI);
        assertThat(end.getEvidenceMissingList())
                .as("no client of the CRI can have asked")
                .isEmpty();
        return end;
    }

    @Test
    void killByItsClient() {
        start("task", WAITS);
        int pid = mainPid("task");
        ctr("task", "kill", "--signal", "9", "task");
        ExitEvent end = onlyEnd("task", ExitEvent::hasSender);
        assertThat(end.getProcess().getPid()).isEqualTo(pid);
        assertThat(end.getProcess().getComm()).isEqualTo("sh");
        // runc lives for a millisecond after its kill: without its executable the cause is inferred, and without its
        // parent unknown.
        if (end.getCause() == Cause.UNKNOWN) {
            assertThat(end.getSender().getExe()).isEmpty();
            assertThat(end.hasAskedBy()).isFalse();
        } else {
            assertThat(end.getCause()).isEqualTo(Cause.RUNTIME_KILL);
            assertThat(end.getCertainty()).isIn(Certainty.CONFIRMED, Certainty.INFERRED);
            assertThat(end.getAskedBy().getKind()).isEqualTo(AskedBy.Kind.CONTAINERD_CLIENT);
        }
    }

    @Test
    void anExitOfItsOwn() {
        start("quits", "sleep 0.3; exit 3");
        ExitEvent end = onlyEnd("quits", event -> true);
        assertThat(end.getCause()).isEqualTo(Cause.OWN_EXIT);
        assertThat(end.getExitCode()).isEqualTo(3);
        assertThat(end.hasAskedBy()).isFalse();
    }

    @Test
    void theEndOfAnExecIsNone() {
        start("host", WAITS);
        List<String> command = List.of(
                "ctr",
                "--address",
                containerd.socket().toString(),
                "--namespace",
                NAMESPACE,
                "task",
                "exec",
                "--exec-id",
                "x",
                "host",
                "/bin/sh",
                "-c",
                "exit 9");
        assertThat(Bed.run(out, "exec", LIMIT, new ProcessBuilder(command)).status())
                .isEqualTo(9);
        start("after-host", "sleep 0.3; exit 1");
        onlyEnd("after-host", event -> true);
        assertThat(agent.exits("host")).isEmpty();
        assertThat(agent.exits("x")).isEmpty();
    }

    @Test
    void killFromAShellOfTheHost() {
        start("shot", WAITS);
        shell("kill -9 " + mainPid("shot"));
        ExitEvent end = onlyEnd("shot", event -> event.getCause() == Cause.HOST_PROCESS);
        assertThat(end.getCertainty()).isEqualTo(Certainty.CONFIRMED);
        assertThat(end.getSender().getUid()).isZero();
    }

    @Test
    void theShimsDeath() {
        start("orphan", WAITS);
        shell("kill -9 $(awk '/^PPid/ {print $2}' /proc/" + mainPid("orphan") + "/status)");
        ExitEvent end = onlyEnd("orphan", event -> event.getCause() == Cause.SHIM_DIED);
        assertThat(end.getCertainty()).isEqualTo(Certainty.CONFIRMED);
        assertThat(end.getSender().getExe()).isNotEmpty();
    }

    /** A client names its containers as it likes: one letter is a part of the name of almost every cgroup. */
    @Test
    void theKillsOfOthersAreNotThoseOfAContainerWithAShortName() {
        start("another", WAITS);
        start("e", "sleep 100 & sleep 1; exit 4");
        shell("kill -9 " + mainPid("another"));
        ExitEvent end = onlyEnd("e", event -> true);
        assertThat(end.getExitCode()).isEqualTo(4);
        assertThat(end.getSecondaryKillsList()).hasSizeLessThanOrEqualTo(1);
        onlyEnd("another", event -> event.getCause() == Cause.HOST_PROCESS);
    }
}
