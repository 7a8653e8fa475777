package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.util.Durations;
import dev.exit137.cli.local.Host;
import dev.exit137.cli.local.LocalHistory;
import dev.exit137.cli.terminal.Failure;
import dev.exit137.cli.why.Subject;
import dev.exit137.cli.why.WhyAnswer;
import dev.exit137.proto.v1.AskedBy;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Certainty;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The ways in which a service of a real systemd ends: each is one event with its cause, its sender and who asked; and
 * after the fact, without an agent, it has the same cause.
 */
@Tag("kernel")
@Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SystemdExitsTest {
    private static final Duration LIMIT = Duration.ofSeconds(Integer.getInteger("bed.limit", 60));

    /** It says when it is ready to. */
    private static final String IGNORES_TERM =
            "ExecStart=/bin/sh -c \"trap '' TERM; : >/run/%n; while :; do sleep 0.1; done\"";

    private static final String EXITS_143 =
            "ExecStart=/bin/sh -c \"trap 'exit 143' TERM; : >/run/%n; while :; do sleep 0.1; done\"";
    private static final String WAITS = "ExecStart=/bin/sleep 1000";

    private static Path out;
    private static SystemdBed bed;
    private static LiveAgent agent;

    @BeforeAll
    static void start() {
        out = Bed.freshDirectory("systemd-exits");
        try {
            bed = SystemdBed.start(out);
            agent = LiveAgent.startWithSystemd(out.resolve("agent"), bed);
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
        Bed.close(agent, bed);
    }

    private static ExitEvent endOf(String unit, Cause cause, Certainty certainty) {
        List<ExitEvent> ends;
        try {
            ends = Bed.await(
                    "the end of " + unit,
                    LIMIT,
                    () -> agent.exitsOfUnit(unit),
                    found -> found.stream()
                            .anyMatch(end -> end.getCause() == cause
                                    && end.getCertainty() == certainty
                                    && end.getEvidenceList().contains(Evidence.SYSTEMD)
                                    // Its settings come with a later revision.
                                    && !end.getSettings().getRestartPolicy().isEmpty()));
        } catch (AssertionError e) {
            throw new AssertionError(unit + " is not " + cause + ": " + agent.exitsOfUnit(unit), e);
        }
        assertThat(ends).as("ends of " + unit).hasSize(1);
        ExitEvent end = ends.getFirst();
        System.out.println("END " + unit + ": " + cause + " " + end.getCertainty() + ": " + end.getExplanation());
        assertThat(end.getCause()).as(end.toString()).isEqualTo(cause);
        assertThat(end.getCertainty()).as(end.toString()).isEqualTo(certainty);
        return end;
    }

    /** Without the agent: what the bed's systemd and its journal still know. */
    private static ExitEvent afterTheFact(String unit, Cause cause) {
        WhyAnswer answer = answer(unit);
        assertThat(answer.exits()).as(answer.toString()).hasSize(1);
        ExitEvent end = answer.exits().getFirst();
        System.out.println(
                "WHY " + unit + ": " + end.getCause() + " " + end.getCertainty() + ": " + end.getExplanation());
        assertThat(end.getCause()).as(end.toString()).isEqualTo(cause);
        return end;
    }

    private static WhyAnswer answer(String unit) {
        LocalHistory history = new LocalHistory(
                new Host(bed.proc(), InstantSource.system()),
                path -> {
                    throw new IOException("no Docker in the bed");
                },
                bed.programs(),
                Path.of("/dev/kmsg"));
        try {
            return history.find(Subject.parse("unit:" + unit), 10).orElseThrow();
        } catch (Failure e) {
            throw new AssertionError(e);
        }
    }

    private static void assertAsked(ExitEvent end, AskedBy.Kind kind, String detail, String... units) {
        assertThat(end.getAskedBy().getKind()).as(end.toString()).isEqualTo(kind);
        assertThat(end.getAskedBy().getDetail()).as(end.toString()).isEqualTo(detail);
        assertThat(end.getAskedBy().getUnitsList()).as(end.toString()).containsExactly(units);
    }

    private static void assertSentBySystemd(ExitEvent end) {
        assertThat(end.getSender().getExe()).as(end.toString()).endsWith("/lib/systemd/systemd");
        assertThat(end.getSender().getCgroup()).as(end.toString()).endsWith("/init.scope");
    }

    /** The shell stays a moment: of a sender that ends at once, only its pid may be known. */
    private static void shell(String script) {
        Bed.Finished finished =
                Bed.run(out, "shell", LIMIT, new ProcessBuilder("/bin/bash", "-c", script + "; sleep 2; :"));
        assertThat(finished.status()).as(finished.errText()).isZero();
    }

    private static void start(String unit, String... lines) {
        bed.unit(unit, lines);
        bed.systemctl("start", unit);
        if (List.of(lines).contains(IGNORES_TERM) || List.of(lines).contains(EXITS_143)) {
            bed.awaitReady(unit);
        }
        bed.awaitToldOf(unit);
    }

    /** Starts a service that goes on with the shell's script once the agent can know its main process. */
    private static void startGated(String unit, String script, String... settings) {
        List<String> lines = new ArrayList<>(List.of(
                "[Service]", "ExecStart=/bin/bash -c \"until [ -e /run/%n ]; do sleep 0.1; done; " + script + "\""));
        lines.addAll(List.of(settings));
        start(unit, lines.toArray(String[]::new));
        bed.open(unit);
    }

    @Test
    void stopThatTheProgramIgnores() {
        start("slow.service", "[Service]", IGNORES_TERM, "TimeoutStopSec=1");
        bed.systemctl("stop", "slow.service");
        ExitEvent end = endOf("slow.service", Cause.SYSTEMD_STOP_TIMEOUT, Certainty.CONFIRMED);
        assertAsked(end, AskedBy.Kind.SYSTEMD_JOB, "systemctl stop");
        assertSentBySystemd(end);
        assertThat(end.getExitCode()).isEqualTo(137);
        assertThat(end.getSignal()).isEqualTo(9);
        // systemd's clock runs before it sends SIGTERM.
        assertThat(Durations.toMillis(end.getStopRequest().getWaited())).isGreaterThan(500);
        assertThat(end.getStopRequest().getGrace().getSeconds()).isEqualTo(1);
        ExitEvent later = afterTheFact("slow.service", Cause.SYSTEMD_STOP_TIMEOUT);
        assertAsked(later, AskedBy.Kind.SYSTEMD_JOB, "systemctl stop");
    }

    @Test
    void restartThatTheProgramIgnores() {
        start("stubborn.service", "[Service]", IGNORES_TERM, "TimeoutStopSec=1");
        bed.systemctl("restart", "stubborn.service");
        ExitEvent end = endOf("stubborn.service", Cause.SYSTEMD_STOP_TIMEOUT, Certainty.CONFIRMED);
        assertAsked(end, AskedBy.Kind.SYSTEMD_JOB, "systemctl restart");
        assertAsked(
                afterTheFact("stubborn.service", Cause.SYSTEMD_STOP_TIMEOUT),
                AskedBy.Kind.SYSTEMD_JOB,
                "systemctl restart");
        bed.systemctl("kill", "--signal=KILL", "stubborn.service");
    }

    @Test
    void stopThatTheProgramHandles() {
        start("polite.service", "[Service]", WAITS);
        bed.systemctl("stop", "polite.service");
        ExitEvent end = endOf("polite.service", Cause.SYSTEMD_CLIENT_REQUEST, Certainty.CONFIRMED);
        assertAsked(end, AskedBy.Kind.SYSTEMD_JOB, "systemctl stop");
        assertThat(end.getSignal()).isEqualTo(15);
        afterTheFact("polite.service", Cause.SYSTEMD_CLIENT_REQUEST);
    }

    @Test
    void stopThatTheProgramHandlesWithACodeOfItsOwn() {
        start("careful.service", "[Service]", EXITS_143);
        bed.systemctl("stop", "careful.service");
        ExitEvent end = endOf("careful.service", Cause.SYSTEMD_CLIENT_REQUEST, Certainty.CONFIRMED);
        assertAsked(end, AskedBy.Kind.SYSTEMD_JOB, "systemctl stop");
        assertThat(end.getExitCode()).isEqualTo(143);
        afterTheFact("careful.service", Cause.SYSTEMD_CLIENT_REQUEST);
    }

    @Test
    void startThatTakesTooLong() {
        bed.unit("late.service", "[Service]", "Type=notify", WAITS, "TimeoutStartSec=1");
        assertThat(bed.trySystemctl("start", "late.service").status()).isNotZero();
        ExitEvent end = endOf("late.service", Cause.SYSTEMD_START_TIMEOUT, Certainty.CONFIRMED);
        assertAsked(end, AskedBy.Kind.SYSTEMD, "");
        assertThat(end.getSignal()).isEqualTo(15);
        afterTheFact("late.service", Cause.SYSTEMD_START_TIMEOUT);
    }

    @Test
    void startThatTakesTooLongAndIgnoresTheEnd() {
        bed.unit("never.service", "[Service]", "Type=notify", IGNORES_TERM, "TimeoutStartSec=1", "TimeoutStopSec=1");
        assertThat(bed.trySystemctl("start", "never.service").status()).isNotZero();
        ExitEvent end = endOf("never.service", Cause.SYSTEMD_START_TIMEOUT, Certainty.CONFIRMED);
        assertSentBySystemd(end);
        assertThat(end.getExitCode()).isEqualTo(137);
        afterTheFact("never.service", Cause.SYSTEMD_START_TIMEOUT);
    }

    @Test
    void watchdog() {
        start("mute.service", "[Service]", WAITS, "WatchdogSec=1");
        bed.await("mute.service", "failed");
        ExitEvent end = endOf("mute.service", Cause.SYSTEMD_WATCHDOG, Certainty.CONFIRMED);
        assertAsked(end, AskedBy.Kind.SYSTEMD, "");
        assertThat(end.getSignal()).isEqualTo(6);
        afterTheFact("mute.service", Cause.SYSTEMD_WATCHDOG);
    }

    @Test
    void watchdogThatKills() {
        start("dumb.service", "[Service]", WAITS, "WatchdogSec=1", "WatchdogSignal=SIGKILL");
        bed.await("dumb.service", "failed");
        assertSentBySystemd(endOf("dumb.service", Cause.SYSTEMD_WATCHDOG, Certainty.CONFIRMED));
        afterTheFact("dumb.service", Cause.SYSTEMD_WATCHDOG);
    }

    @Test
    void killByAClientOfSystemd() {
        start("killed.service", "[Service]", WAITS);
        bed.systemctl("kill", "--signal=KILL", "killed.service");
        ExitEvent end = endOf("killed.service", Cause.SYSTEMD_CLIENT_REQUEST, Certainty.CONFIRMED);
        assertAsked(end, AskedBy.Kind.SYSTEMD_JOB, "systemctl kill");
        assertSentBySystemd(end);
        assertAsked(
                afterTheFact("killed.service", Cause.SYSTEMD_CLIENT_REQUEST),
                AskedBy.Kind.SYSTEMD_JOB,
                "systemctl kill");
    }

    @Test
    void partOfAUnitThatIsStopped() {
        start("base.service", "[Service]", WAITS);
        start("part.service", "PartOf=base.service", "After=base.service", "[Service]", WAITS);
        bed.systemctl("stop", "base.service");
        ExitEvent end = endOf("part.service", Cause.SYSTEMD_DEPENDENCY, Certainty.INFERRED);
        assertAsked(end, AskedBy.Kind.SYSTEMD_JOB, "PartOf", "base.service");
        assertAsked(
                afterTheFact("part.service", Cause.SYSTEMD_DEPENDENCY),
                AskedBy.Kind.SYSTEMD_JOB,
                "PartOf",
                "base.service");
        assertAsked(
                endOf("base.service", Cause.SYSTEMD_CLIENT_REQUEST, Certainty.CONFIRMED),
                AskedBy.Kind.SYSTEMD_JOB,
                "systemctl stop");
    }

    @Test
    void boundToAUnitThatIsKilled() {
        start("leader.service", "[Service]", WAITS);
        start("bound.service", "BindsTo=leader.service", "After=leader.service", "[Service]", WAITS);
        bed.systemctl("kill", "--signal=KILL", "leader.service");
        ExitEvent end = endOf("bound.service", Cause.SYSTEMD_DEPENDENCY, Certainty.INFERRED);
        assertAsked(end, AskedBy.Kind.SYSTEMD_JOB, "BindsTo", "leader.service");
        assertAsked(
                afterTheFact("bound.service", Cause.SYSTEMD_DEPENDENCY),
                AskedBy.Kind.SYSTEMD_JOB,
                "BindsTo",
                "leader.service");
    }

    @Test
    void requirementThatIsStopped() {
        start("database.service", "[Service]", WAITS);
        start("shop.service", "Requires=database.service", "After=database.service", "[Service]", WAITS);
        bed.systemctl("stop", "database.service");
        ExitEvent end = endOf("shop.service", Cause.SYSTEMD_DEPENDENCY, Certainty.INFERRED);
        assertAsked(end, AskedBy.Kind.SYSTEMD_JOB, "Requires", "database.service");
        assertAsked(
                afterTheFact("shop.service", Cause.SYSTEMD_DEPENDENCY),
                AskedBy.Kind.SYSTEMD_JOB,
                "Requires",
                "database.service");
    }

    @Test
    void chainOfUnits() {
        start("first.service", "[Service]", WAITS);
        start("second.service", "PartOf=first.service", "After=first.service", "[Service]", WAITS);
        start("third.service", "PartOf=second.service", "After=second.service", "[Service]", WAITS);
        bed.systemctl("stop", "first.service");
        ExitEvent end = endOf("third.service", Cause.SYSTEMD_DEPENDENCY, Certainty.INFERRED);
        Bed.await(
                "the chain of third.service",
                LIMIT,
                () -> agent.exitsOfUnit("third.service").getFirst().getAskedBy().getUnitsList(),
                units -> units.equals(List.of("first.service", "second.service")));
        assertThat(end.getAskedBy().getDetail()).isEqualTo("PartOf");
        afterTheFact("third.service", Cause.SYSTEMD_DEPENDENCY);
    }

    @Test
    void dependencyThatDoesNotStopInTime() {
        start("hub.service", "[Service]", WAITS);
        start(
                "spoke.service",
                "PartOf=hub.service",
                "After=hub.service",
                "[Service]",
                IGNORES_TERM,
                "TimeoutStopSec=1");
        bed.systemctl("stop", "hub.service");
        ExitEvent end = endOf("spoke.service", Cause.SYSTEMD_STOP_TIMEOUT, Certainty.CONFIRMED);
        assertAsked(end, AskedBy.Kind.SYSTEMD_JOB, "PartOf", "hub.service");
        assertSentBySystemd(end);
        assertAsked(
                afterTheFact("spoke.service", Cause.SYSTEMD_STOP_TIMEOUT),
                AskedBy.Kind.SYSTEMD_JOB,
                "PartOf",
                "hub.service");
    }

    @Test
    void killFromAShellOfTheHost() {
        start("shot.service", "[Service]", WAITS);
        shell("kill -9 " + bed.mainPid("shot.service"));
        ExitEvent end = endOf("shot.service", Cause.HOST_PROCESS, Certainty.CONFIRMED);
        assertThat(end.getSender().getExe()).endsWith("/bash");
        assertThat(end.getSender().getCgroup()).isNotEmpty();
        assertThat(end.getAskedBy().getKind()).isIn(AskedBy.Kind.PERSON, AskedBy.Kind.PROGRAM);
        ExitEvent later = afterTheFact("shot.service", Cause.UNKNOWN);
        assertThat(later.hasSender()).isFalse();
    }

    @Test
    void killFromAnotherService() {
        start("prey.service", "[Service]", WAITS);
        int pid = Integer.parseInt(bed.property("prey.service", "MainPID"));
        start("hunter.service", "[Service]", "ExecStart=/bin/bash -c \"kill -9 " + pid + "; sleep 2; :\"");
        ExitEvent end = endOf("prey.service", Cause.HOST_PROCESS, Certainty.CONFIRMED);
        assertThat(end.getSender().getUnit()).isEqualTo("hunter.service");
    }

    @Test
    void killByAChildOfTheService() {
        startGated("parricide.service", "(kill -9 $$$$; sleep 2; :) & wait");
        ExitEvent end = Bed.await(
                        "the sender",
                        LIMIT,
                        () -> agent.exitsOfUnit("parricide.service"),
                        ends -> ends.stream().anyMatch(ExitEvent::hasSender))
                .getFirst();
        // systemd kills the peer as soon as the main process is dead, perhaps before the agent looks at it.
        if (end.getSender().getExe().isEmpty() || end.getSender().getCgroup().isEmpty()) {
            assertThat(end.getCause()).isEqualTo(Cause.UNKNOWN);
        } else {
            assertThat(end.getCause()).isEqualTo(Cause.SAME_CONTAINER_PROCESS);
            assertThat(end.getSender().getUnit()).isEqualTo("parricide.service");
        }
    }

    /** Only its name is systemd's. */
    @Test
    void aProgramThatIsCalledSystemdIsAProgramOfTheHost() throws IOException {
        Path fake = Files.copy(Bed.find("bash").orElseThrow().toRealPath(), out.resolve("systemd"));
        start("fooled.service", "[Service]", WAITS);
        shell(fake + " -c 'kill -9 " + bed.mainPid("fooled.service") + "; sleep 2; :'");
        ExitEvent end = endOf("fooled.service", Cause.HOST_PROCESS, Certainty.CONFIRMED);
        assertThat(end.getSender().getComm()).isEqualTo("systemd");
        assertThat(end.getSender().getExe()).isEqualTo(fake.toString());
    }

    @Test
    void aCodeOfItsOwn() {
        startGated("quits.service", "exit 3");
        bed.await("quits.service", "failed");
        ExitEvent end = endOf("quits.service", Cause.OWN_EXIT, Certainty.CONFIRMED);
        assertThat(end.getExitCode()).isEqualTo(3);
        afterTheFact("quits.service", Cause.OWN_EXIT);
    }

    @Test
    void theProgramsOwn137() {
        startGated("liar.service", "exit 137");
        bed.await("liar.service", "failed");
        ExitEvent end = endOf("liar.service", Cause.OWN_EXIT, Certainty.CONFIRMED);
        assertThat(end.getExitCode()).isEqualTo(137);
        assertThat(end.hasSignal()).isFalse();
        afterTheFact("liar.service", Cause.OWN_EXIT);
    }

    @Test
    void crash() {
        startGated("crashes.service", "kill -SEGV $$$$");
        bed.await("crashes.service", "failed");
        ExitEvent end = endOf("crashes.service", Cause.CRASH, Certainty.CONFIRMED);
        assertThat(end.getSignal()).isEqualTo(11);
        afterTheFact("crashes.service", Cause.CRASH);
    }

    @Test
    void abort() {
        startGated("aborts.service", "kill -ABRT $$$$");
        bed.await("aborts.service", "failed");
        assertThat(endOf("aborts.service", Cause.CRASH, Certainty.CONFIRMED).getSignal())
                .isEqualTo(6);
        afterTheFact("aborts.service", Cause.CRASH);
    }

    @Test
    void aProgramThatIsNotThere() {
        start("missing.service", "[Service]", "ExecStart=/no/such/program");
        bed.await("missing.service", "failed");
        ExitEvent end = endOf("missing.service", Cause.NOT_FOUND, Certainty.INFERRED);
        assertThat(end.getExitCode()).isEqualTo(203);
        afterTheFact("missing.service", Cause.NOT_FOUND);
    }

    @Test
    void aProgramThatIsNotExecutable() {
        start("text.service", "[Service]", "ExecStart=/etc/passwd");
        bed.await("text.service", "failed");
        ExitEvent end = endOf("text.service", Cause.NOT_EXECUTABLE, Certainty.INFERRED);
        assertThat(end.getExitCode()).isEqualTo(203);
        afterTheFact("text.service", Cause.NOT_EXECUTABLE);
    }

    @Test
    void oomKillOfTheMainProcess() {
        startGated("eater.service", "exec tail /dev/zero", "MemoryMax=16M");
        bed.await("eater.service", "failed");
        ExitEvent end = endOf("eater.service", Cause.OOM_KILL, Certainty.CONFIRMED);
        assertThat(end.getOomEventIdsCount()).isPositive();
        assertThat(end.hasSender()).isFalse();
        // The kernel's log has the pid that the process has out here, and the bed's systemd the one in there.
        assertThat(answer("eater.service").kills()).isNotEmpty();
    }

    @Test
    void aServiceThatIsStartedAgain() {
        start("phoenix.service", "[Service]", "ExecStart=/bin/sleep 1000", "Restart=always", "RestartSec=0");
        String before = bed.property("phoenix.service", "MainPID");
        bed.systemctl("kill", "--signal=KILL", "phoenix.service");
        Bed.await("the next life", LIMIT, () -> bed.property("phoenix.service", "NRestarts"), "1"::equals);
        assertThat(bed.property("phoenix.service", "MainPID")).isNotEqualTo(before);
        ExitEvent end = endOf("phoenix.service", Cause.SYSTEMD_CLIENT_REQUEST, Certainty.CONFIRMED);
        assertThat(end.getSettings().getRestartPolicy()).isEqualTo("always");
        afterTheFact("phoenix.service", Cause.SYSTEMD_CLIENT_REQUEST);
    }

    @Test
    void aServiceThatFailsAgainAndAgain() {
        bed.unit(
                "loop.service",
                "StartLimitBurst=3",
                "[Service]",
                "ExecStart=/bin/sh -c \"sleep 0.3; exit 3\"",
                "Restart=always",
                "RestartSec=0");
        bed.systemctl("start", "loop.service");
        bed.await("loop.service", "failed");
        Bed.await(
                "three ends",
                LIMIT,
                () -> agent.exitsOfUnit("loop.service"),
                ends -> ends.size() == 3
                        && ends.stream()
                                .allMatch(end -> end.getCause() == Cause.OWN_EXIT
                                        && end.getEvidenceList().contains(Evidence.JOURNAL)));
        assertThat(answer("loop.service").exits())
                .hasSize(3)
                .allSatisfy(end -> assertThat(end.getExitCode()).isEqualTo(3));
    }

    @Test
    void aReloadByASignalIsNotTheCauseOfALaterCrash() {
        startGated(
                "reloads.service",
                "trap : HUP; : >/run/trapped; until [ -e /run/crash ]; do sleep 0.1; done; kill -SEGV $$$$");
        bed.awaitReady("trapped");
        bed.systemctl("kill", "--signal=HUP", "--kill-who=main", "reloads.service");
        bed.open("crash");
        bed.await("reloads.service", "failed");
        endOf("reloads.service", Cause.CRASH, Certainty.CONFIRMED);
        afterTheFact("reloads.service", Cause.CRASH);
    }

    @Test
    void theLimitOfItsRun() {
        start("shortlived.service", "[Service]", WAITS, "RuntimeMaxSec=1");
        bed.await("shortlived.service", "failed");
        ExitEvent end = endOf("shortlived.service", Cause.STOPPED, Certainty.CONFIRMED);
        assertAsked(end, AskedBy.Kind.SYSTEMD, "");
        assertThat(end.getExplanation()).contains("RuntimeMaxSec");
        assertThat(afterTheFact("shortlived.service", Cause.STOPPED).getExplanation())
                .contains("RuntimeMaxSec");
    }

    /** Any program may write a line with systemd's message id and text. */
    @Test
    void aLineThatOnlyLooksLikeSystemdsIsCountedAndNotBelieved() {
        start("innocent.service", "[Service]", WAITS);
        String line = String.join(
                "\n",
                "MESSAGE_ID=98e322203f7a4ed290d09fe03c09fe15",
                "MESSAGE=innocent.service: Main process exited, code=killed, status=9/KILL",
                "UNIT=innocent.service",
                "EXIT_CODE=killed",
                "EXIT_STATUS=9",
                "INVOCATION_ID=" + bed.property("innocent.service", "InvocationID"));
        assertThat(bed.inside("/bin/sh", "-c", "printf '" + line + "\n' | logger --journald")
                        .status())
                .isZero();
        Bed.await(
                "the count of lies",
                LIMIT,
                () -> agent.source("systemd").orElseThrow().getDetail(),
                detail -> detail.contains("not its own"));
        assertThat(agent.exitsOfUnit("innocent.service")).isEmpty();
        assertThat(answer("innocent.service").exits()).isEmpty();
        // The agent goes on, and believes systemd.
        bed.systemctl("kill", "--signal=KILL", "innocent.service");
        endOf("innocent.service", Cause.SYSTEMD_CLIENT_REQUEST, Certainty.CONFIRMED);
    }

    @Test
    void whatEndsWhileNoAgentRunsIsRecoveredOnce() {
        Path directory = out.resolve("second");
        bed.unit("known.service", "[Service]", "ExecStart=/bin/sh -c \"sleep 0.3; exit 4\"");
        bed.unit("missed.service", "[Service]", IGNORES_TERM, "TimeoutStopSec=1");
        bed.unit("reborn.service", "[Service]", "ExecStart=/bin/sleep 1000", "Restart=always", "RestartSec=0");
        try (LiveAgent before = LiveAgent.startWithSystemd(directory, bed)) {
            before.awaitRuntime(State.ACTIVE);
            bed.systemctl("start", "known.service", "missed.service", "reborn.service");
            bed.awaitReady("missed.service");
            Bed.await(
                    "the end of known.service",
                    LIMIT,
                    () -> before.exitsOfUnit("known.service"),
                    ends -> !ends.isEmpty() && ends.getFirst().getEvidenceList().contains(Evidence.JOURNAL));
        }
        bed.systemctl("stop", "missed.service");
        bed.systemctl("kill", "--signal=KILL", "reborn.service");
        Bed.await("the next life", LIMIT, () -> bed.property("reborn.service", "NRestarts"), "1"::equals);
        try (LiveAgent after = LiveAgent.startWithSystemd(directory, bed)) {
            for (String unit : List.of("missed.service", "reborn.service")) {
                Bed.await(
                        "the end of " + unit,
                        LIMIT,
                        () -> after.exitsOfUnit(unit),
                        ends -> ends.size() == 1
                                && ends.getFirst().getCause()
                                        == (unit.startsWith("missed")
                                                ? Cause.SYSTEMD_STOP_TIMEOUT
                                                : Cause.SYSTEMD_CLIENT_REQUEST));
                assertThat(after.exitsOfUnit(unit).getFirst().getRecovered()).isTrue();
            }
            assertThat(after.exitsOfUnit("known.service")).hasSize(1);
            assertThat(after.exitsOfUnit("known.service").getFirst().getRecovered())
                    .isFalse();
        }
    }

    /** The product itself, on the systemd's own machine, without an agent. */
    @Test
    void whyInTheBed() {
        start("asked.service", "[Service]", IGNORES_TERM, "TimeoutStopSec=1");
        bed.systemctl("stop", "asked.service");
        Bed.Finished why = bed.inside(Bed.exit137(), "why", "--local", "asked.service");
        assertThat(why.status()).as(why.errText()).isZero();
        assertThat(String.join("\n", why.outLines()))
                .contains("asked.service did not stop in time (TimeoutStopSec), so systemd killed it.")
                .contains("systemctl stop");
    }

    @Test
    void aSuccessIsNoEvent() {
        start("content.service", "[Service]", "Type=oneshot", "ExecStart=/bin/true");
        startGated("after.service", "exit 1");
        endOf("after.service", Cause.OWN_EXIT, Certainty.CONFIRMED);
        assertThat(agent.exitsOfUnit("content.service")).isEmpty();
    }
}
