package dev.exit137.nativetest;

import static dev.exit137.nativetest.DockerEnds.WAITS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.cli.local.DockerSocket;
import dev.exit137.cli.local.Host;
import dev.exit137.cli.local.HostPrograms;
import dev.exit137.cli.local.LocalHistory;
import dev.exit137.cli.why.Subject;
import dev.exit137.cli.why.WhyAnswer;
import dev.exit137.nativetest.DockerEngine.Container;
import dev.exit137.proto.v1.AskedBy;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Certainty;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * {@code why} on a Docker host where no agent ever ran: what Docker, the kernel's ring and the host still know of each
 * end, and what nobody can know any more.
 */
@Tag("kernel")
@Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class WhyAfterTheFactTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static final String IGNORES_TERM = "trap '' TERM; " + WAITS;
    private static final String ENDS_ON_TERM = "trap 'exit 143' TERM; " + WAITS;

    private static Path out;
    private static DockerEngine engine;

    @BeforeAll
    static void start() {
        DockerTest.skipWhereDockerCannotRun();
        out = Bed.freshDirectory("why-after-the-fact");
        engine = DockerEngine.start(out);
    }

    @AfterAll
    static void end() {
        Bed.close(engine);
    }

    /** What this machine knows of the newest end. */
    private static WhyAnswer ask(String subject) {
        try {
            return new LocalHistory(
                            new Host(Path.of("/proc"), InstantSource.system()),
                            new DockerSocket(engine.socket(), LocalHistory.PATIENCE),
                            new HostPrograms(System.getenv(), LocalHistory.PATIENCE),
                            Path.of("/dev/kmsg"))
                    .find(Subject.parse(subject), 3)
                    .orElseThrow(() -> new AssertionError("nothing is known of " + subject));
        } catch (Exception e) {
            throw new AssertionError(subject, e);
        }
    }

    private static ExitEvent why(String container, Cause cause, Certainty certainty) {
        Bed.await("the end of " + container, LIMIT, () -> engine.isRunning(container), running -> !running);
        ExitEvent end = ask(container).exits().getFirst();
        System.out.println("WHY " + container + ": " + cause + " " + end.getCertainty() + ": " + end.getExplanation());
        assertThat(end.getCause()).as(end.toString()).isEqualTo(cause);
        assertThat(end.getCertainty()).as(end.getExplanation()).isEqualTo(certainty);
        assertThat(end.hasSender()).as("nothing records a sender").isFalse();
        return end;
    }

    private static void assertAsked(ExitEvent end, String command) {
        DockerEnds.assertAsked(end, AskedBy.Kind.DOCKER_CLIENT, command);
    }

    private static Bed.Finished command(String... arguments) {
        return command(List.of(), arguments);
    }

    private static Bed.Finished command(List<String> before, String... arguments) {
        List<String> command = new ArrayList<>(before);
        command.addAll(List.of(Bed.exit137(), "why", "--local", "--docker-endpoint", "unix://" + engine.socket()));
        command.addAll(Arrays.asList(arguments));
        return Bed.run(out, "why", LIMIT, new ProcessBuilder(command));
    }

    @Test
    void whatAClientOfDockerAskedForIsInItsEvents() {
        engine.start("stopped-late", IGNORES_TERM);
        engine.docker("stop", "--time", "1", "stopped-late");
        ExitEvent late = why("stopped-late", Cause.STOP_TIMEOUT, Certainty.SINGLE_SOURCE);
        assertAsked(late, "docker stop");
        assertThat(late.getStopRequest().getWaited().getSeconds()).isEqualTo(1);

        engine.start("stopped", ENDS_ON_TERM);
        engine.docker("stop", "stopped");
        assertAsked(why("stopped", Cause.STOPPED, Certainty.SINGLE_SOURCE), "docker stop");

        engine.start("stopped-at-once", IGNORES_TERM);
        engine.docker("stop", "--time", "0", "stopped-at-once");
        assertAsked(why("stopped-at-once", Cause.RUNTIME_KILL, Certainty.SINGLE_SOURCE), "docker stop");

        engine.start("killed", WAITS);
        engine.docker("kill", "killed");
        assertAsked(why("killed", Cause.CLIENT_KILL, Certainty.SINGLE_SOURCE), "docker kill");

        engine.start("terminated", ENDS_ON_TERM);
        engine.docker("kill", "--signal", "TERM", "terminated");
        assertAsked(why("terminated", Cause.STOPPED, Certainty.SINGLE_SOURCE), "docker kill -s TERM");
    }

    @Test
    void aRestartIsNoEndThatSomebodyElseMade() {
        engine.start("restarted", IGNORES_TERM);
        engine.docker("restart", "--time", "1", "restarted");
        WhyAnswer answer = ask("restarted");
        assertThat(answer.exits()).hasSize(1);
        assertThat(answer.exits().getFirst().getCause()).isEqualTo(Cause.STOP_TIMEOUT);
        assertAsked(answer.exits().getFirst(), "docker restart");
        assertThat(answer.restarted()).isNotNull();
        assertThat(answer.facts()).anyMatch(fact -> fact.text().startsWith("it runs now, since"));
        engine.docker("rm", "--force", "restarted");
    }

    @Test
    void aRemovedContainerIsKnownFromTheEvents() {
        engine.start("removed", WAITS);
        engine.docker("rm", "--force", "removed");
        WhyAnswer answer = ask("removed");
        assertAsked(answer.exits().getFirst(), "docker rm -f");
        assertThat(answer.facts()).anyMatch(fact -> fact.text().startsWith("the container was removed"));
    }

    @Test
    void anOomKillIsInTheKernelsRing() {
        engine.start("eater", Pods.EATS, "--memory=16m").open();
        ExitEvent end = why("eater", Cause.OOM_KILL, Certainty.CONFIRMED);
        assertThat(end.getOomEventIdsCount()).isEqualTo(1);
        assertThat(end.getSettings().getMemoryLimitBytes()).isEqualTo(16 << 20);

        engine.start("parent-of-eater", "read line </bed/go; tail /dev/zero; exit 7", "--memory=16m")
                .open();
        why("parent-of-eater", Cause.OWN_EXIT, Certainty.SINGLE_SOURCE);
        assertThat(ask("parent-of-eater").kills()).hasSize(1);

        // A shell that says what its child did: the ring has the child.
        engine.start("shell-of-eater", "read line </bed/go; tail /dev/zero; exit $?", "--memory=16m")
                .open();
        ExitEvent shell = why("shell-of-eater", Cause.UNKNOWN, Certainty.CERTAINTY_UNSPECIFIED);
        assertThat(shell.getExplanation()).contains("OOM killer killed tail (pid ", "passes on the code of its child");
    }

    @Test
    void ofAKillThatNobodyRecordedItSaysWhatItWasNotAndWhatItCanHaveBeen() {
        Container shot = engine.start("shot", WAITS);
        kill(9, shot);
        assertUnknown(why("shot", Cause.UNKNOWN, Certainty.CERTAINTY_UNSPECIFIED));

        // The same code without any signal: nothing after the fact tells the two apart.
        engine.start("liar", "exit 137");
        assertUnknown(why("liar", Cause.UNKNOWN, Certainty.CERTAINTY_UNSPECIFIED));

        Container asked = engine.start("asked", ENDS_ON_TERM);
        kill(15, asked);
        ExitEvent end = why("asked", Cause.STOPPED, Certainty.INFERRED);
        assertThat(end.getExplanation()).contains("nobody asked Docker", "recorded nowhere after the fact");
    }

    private static void kill(int signal, Container victim) {
        Bed.run(out, "kill", LIMIT, new ProcessBuilder("/bin/bash", "-c", "kill -" + signal + " " + victim.mainPid()));
    }

    private static void assertUnknown(ExitEvent end) {
        assertThat(end.getExplanation())
                .contains(
                        "nobody asked Docker",
                        "the kernel's OOM killer was not it",
                        "or that the program chose that code itself",
                        "recorded nowhere after the fact");
        assertThat(end.getRecommendationsList()).singleElement().asString().contains("agent");
    }

    @Test
    void aShimThatDiedCannotBeToldFromACodeOf255() {
        Container orphan = engine.start("orphan", WAITS);
        Bed.run(
                out,
                "kill",
                LIMIT,
                new ProcessBuilder(
                        "/bin/bash",
                        "-c",
                        "kill -9 $(awk '/^PPid/ {print $2}' /proc/" + orphan.mainPid() + "/status)"));
        // Docker keeps no code of it, and says 255.
        ExitEvent end = why("orphan", Cause.OWN_EXIT, Certainty.INFERRED);
        assertThat(end.getExplanation()).contains("or its shim died before it");
    }

    @Test
    void whatTheCodeSays() throws IOException {
        engine.start("quits", "sleep 0.2; exit 3");
        why("quits", Cause.OWN_EXIT, Certainty.SINGLE_SOURCE);
        engine.start("crashed", "sh -c 'kill -SEGV $$'; exit $?");
        why("crashed", Cause.CRASH, Certainty.INFERRED);
        Path profile = out.resolve("seccomp.json");
        Files.writeString(profile, """
                {"defaultAction": "SCMP_ACT_ALLOW",
                 "syscalls": [{"names": ["sync"], "action": "SCMP_ACT_KILL_PROCESS"}]}
                """);
        engine.start("confined", "sleep 0.2; exec sync", "--security-opt", "seccomp=" + profile);
        why("confined", Cause.SECCOMP, Certainty.INFERRED);
    }

    @Test
    void aProgramThatCouldNotBeStarted() {
        engine.tryDocker("run", "--name", "missing", "--network", "none", Containerd.IMAGE, "/no/such");
        why("missing", Cause.NOT_FOUND, Certainty.SINGLE_SOURCE);
        engine.tryDocker("run", "--name", "directory", "--network", "none", Containerd.IMAGE, "/bin");
        why("directory", Cause.NOT_EXECUTABLE, Certainty.SINGLE_SOURCE);
    }

    @Test
    void aPrefixDecidesAndAPidIsThatOfItsContainer() {
        Container held = engine.start("held", WAITS);
        assertThat(command("pid:" + held.mainPid()).outLines()).anyMatch(line -> line.contains("it runs now, since"));
        engine.docker("kill", "held");
        Bed.Finished byName = command("docker:held");
        assertThat(byName.status()).as(byName.errText()).isZero();
        assertThat(byName.outLines().getFirst()).startsWith("docker:held: its last end");
        assertThat(byName.outLines())
                .allMatch(line -> line.length() <= 100 || line.startsWith("  event "))
                .anyMatch(line -> line.contains("no memory limit: the whole node is its limit"));
        System.out.println(String.join("\n", byName.outLines()));
        Bed.Finished byId = command(held.id().substring(0, 12));
        assertThat(byId.outLines().getFirst()).startsWith("docker:held: its last end");
    }

    @Test
    void anUnknownNameHasTheNearestOnes() {
        engine.start("cart-web-1", WAITS);
        engine.docker("kill", "cart-web-1");
        for (String unknown : List.of("cart-web", "docker:cart-web-2")) {
            Bed.Finished finished = command(unknown);
            assertThat(finished.status()).isEqualTo(1);
            assertThat(finished.errText()).contains("nothing is known of '" + unknown + "'; did you mean cart-web-1");
        }
        for (String elsewhere : List.of("pod:shop/web", "event:0f0f0f")) {
            Bed.Finished finished = command(elsewhere);
            assertThat(finished.status()).isEqualTo(1);
            assertThat(finished.errText()).contains("only an aggregator knows them");
        }
    }

    @Test
    void withoutRightsItSaysWhatCouldNotBeRead() {
        engine.start("secret", WAITS);
        engine.docker("kill", "secret");
        List<String> asNobody = List.of(
                "setpriv",
                "--reuid",
                "65532",
                "--regid",
                "65532",
                "--clear-groups",
                "--no-new-privs",
                "--inh-caps=-all");
        if (Bed.find("setpriv").isEmpty()
                || Bed.run(out, "look", LIMIT, new ProcessBuilder(with(asNobody, "test", "-x", Bed.exit137())))
                                .status()
                        != 0) {
            Bed.skip("why without rights", "no setpriv on PATH, or others may not run " + Bed.exit137());
        }
        Bed.Finished finished = command(asNobody, "secret");
        assertThat(finished.status()).isEqualTo(1);
        assertThat(finished.errText())
                .contains(
                        "nothing is known of 'secret'",
                        "not read: Docker at ",
                        "Permission denied",
                        "the group docker");
        System.out.println(finished.errText());
    }

    private static List<String> with(List<String> first, String... more) {
        List<String> all = new ArrayList<>(first);
        all.addAll(Arrays.asList(more));
        return all;
    }
}
