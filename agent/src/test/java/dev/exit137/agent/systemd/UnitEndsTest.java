package dev.exit137.agent.systemd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.daemon.guard.Guard;
import dev.exit137.exitreport.facts.End;
import dev.exit137.exitreport.facts.JournalLine;
import dev.exit137.exitreport.facts.UnitState;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.ExitSettings;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.freedesktop.dbus.types.UInt32;
import org.freedesktop.dbus.types.UInt64;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Changes of properties in the order in which systemd 252 sends them: of the service, then of the unit. */
class UnitEndsTest {
    private static final Instant START = Instant.parse("2026-11-30T02:10:43Z");
    private static final String SLOW = "slow.service";

    private final List<End> ends = new ArrayList<>();
    private final Map<String, UnitDetails> details = new HashMap<>();
    private final Map<String, Byte> lives = new HashMap<>();
    private Instant now = START;
    private UnitEnds units;

    @BeforeEach
    void make() {
        units = new UnitEnds(
                ends::add,
                unit -> CompletableFuture.completedFuture(details.getOrDefault(unit, UnitDetails.UNKNOWN)),
                START,
                () -> now,
                new Guard());
    }

    private static UInt64 micros(Instant time) {
        return new UInt64(ChronoUnit.MICROS.between(Instant.EPOCH, time));
    }

    private void changes(String unit, Map<String, Object> properties) {
        Map<String, Object> whole = new HashMap<>(properties);
        whole.put("InvocationID", new byte[] {lives.getOrDefault(unit, (byte) 0)});
        units.onProperties(unit, whole);
    }

    private void subState(String unit, String subState) {
        changes(unit, Map.of("ActiveState", "any", "SubState", subState));
    }

    private void starts(String unit) {
        lives.merge(unit, (byte) 1, (life, next) -> (byte) (life + next));
        changes(unit, Map.of("Result", "success", "SubState", "start", "ExecMainExitTimestamp", micros(Instant.EPOCH)));
        subState(unit, "running");
    }

    private void exits(String unit, String result, int code, int status) {
        changes(
                unit,
                Map.of(
                        "Result",
                        result,
                        "ExecMainPID",
                        new UInt32(221),
                        "ExecMainStartTimestamp",
                        micros(START),
                        "ExecMainExitTimestamp",
                        micros(now),
                        "ExecMainCode",
                        code,
                        "ExecMainStatus",
                        status));
    }

    /** Without the life's id. */
    private UnitState state() {
        UnitState state = ends.getLast().unit();
        return new UnitState(
                "",
                state.result(),
                state.phase(),
                state.byClient(),
                state.jobType(),
                state.dependencies(),
                state.dependencyKind(),
                state.startFailure());
    }

    @Test
    void aStopThatTimesOutIsSeenBeforeTheEndAndHasItsSettings() {
        details.put(
                SLOW,
                new UnitDetails(
                        SystemdBus.settings(Map.of(
                                "TimeoutStopUSec",
                                new UInt64(1_500_000),
                                "MemoryMax",
                                new UInt64("18446744073709551615"),
                                "Restart",
                                "on-failure",
                                "OOMPolicy",
                                "stop",
                                "OOMScoreAdjust",
                                -5)),
                        List.of(),
                        List.of(),
                        List.of()));
        starts(SLOW);
        units.onJob(96, SLOW, "stop");
        subState(SLOW, "stop-sigterm");
        changes(SLOW, Map.of("Result", "timeout"));
        subState(SLOW, "stop-sigkill");
        assertThat(ends).isEmpty();
        now = START.plusSeconds(4);
        exits(SLOW, "timeout", 2, 9);

        ExitEvent event = ends.getLast().reported();
        assertThat(event.getSubject()).isEqualTo(ExitEvent.Subject.UNIT);
        assertThat(event.getUnit()).isEqualTo(SLOW);
        assertThat(event.getExitCode()).isEqualTo(137);
        assertThat(event.getSignal()).isEqualTo(9);
        assertThat(event.getCoreDumped()).isFalse();
        assertThat(event.getProcess().getPid()).isEqualTo(221);
        assertThat(event.getStartedAt().getSeconds()).isEqualTo(START.getEpochSecond());
        assertThat(event.getEndedAt().getSeconds()).isEqualTo(now.getEpochSecond());
        assertThat(event.getEvidenceList()).containsExactly(Evidence.SYSTEMD);
        assertThat(event.getSettings())
                .isEqualTo(ExitSettings.newBuilder()
                        .setMemoryLimitBytes(-1)
                        .setRestartPolicy("on-failure")
                        .setStopGrace(com.google.protobuf.Duration.newBuilder()
                                .setSeconds(1)
                                .setNanos(500_000_000))
                        .setOomPolicy("stop")
                        .setOomScoreAdj(-5)
                        .build());
        assertThat(state()).isEqualTo(new UnitState("", "timeout", "stop", false, "stop", List.of(), "", null));
    }

    @Test
    void aStartThatTimesOutIsAStart() {
        changes(SLOW, Map.of("Result", "success"));
        subState(SLOW, "start");
        changes(SLOW, Map.of("Result", "timeout"));
        subState(SLOW, "stop-sigterm");
        subState(SLOW, "stop-sigkill");
        exits(SLOW, "timeout", 2, 9);
        assertThat(state()).isEqualTo(new UnitState("", "timeout", "start", false, "", List.of(), "", null));
    }

    @Test
    void anExitCodeIsNoSignalAndZeroIsNoEnd() {
        starts(SLOW);
        exits(SLOW, "success", 1, 0);
        assertThat(ends).isEmpty();
        starts(SLOW);
        now = now.plusSeconds(5);
        exits(SLOW, "exit-code", 1, 3);
        assertThat(ends.getLast().reported().getExitCode()).isEqualTo(3);
        assertThat(ends.getLast().reported().hasSignal()).isFalse();
        starts(SLOW);
        now = now.plusSeconds(5);
        exits(SLOW, "core-dump", 3, 11);
        assertThat(ends.getLast().reported().getCoreDumped()).isTrue();
        assertThat(ends.getLast().reported().getExitCode()).isEqualTo(139);
    }

    @Test
    void aResultThatComesLaterIsTheSameEndAgainAndWhatAddsNothingIsNot() {
        starts(SLOW);
        exits(SLOW, "signal", 2, 9);
        int before = ends.size();
        subState(SLOW, "failed");
        assertThat(ends).hasSize(before);
        changes(SLOW, Map.of("Result", "oom-kill"));
        assertThat(state().result()).isEqualTo("oom-kill");
        assertThat(ends.getLast().reported().getEndedAt())
                .isEqualTo(ends.getFirst().reported().getEndedAt());
    }

    @Test
    void aRestartEndsOneLifeAndTheNextEndIsNotItsFault() {
        starts(SLOW);
        units.onJob(7, SLOW, "restart");
        subState(SLOW, "stop-sigterm");
        exits(SLOW, "success", 2, 15);
        assertThat(state().jobType()).isEqualTo("restart");
        starts(SLOW);
        now = now.plusSeconds(9);
        exits(SLOW, "signal", 2, 9);
        assertThat(state()).isEqualTo(new UnitState("", "signal", "", false, "", List.of(), "", null));
    }

    @Test
    void aJobThatWasDoneBeforeItsTypeWasAskedForIsAStop() {
        starts(SLOW);
        units.onJob(7, SLOW, "");
        subState(SLOW, "stop-sigterm");
        exits(SLOW, "success", 2, 15);
        assertThat(state().jobType()).isEqualTo("stop");
    }

    @Test
    void aStopOfTheUnitAboveIsTheFirstCauseOfAChain() {
        details.put(
                "c.service",
                new UnitDetails(ExitSettings.getDefaultInstance(), List.of("b.service"), List.of(), List.of()));
        details.put(
                "b.service",
                new UnitDetails(ExitSettings.getDefaultInstance(), List.of(), List.of(), List.of("a.service")));
        for (String unit : List.of("a.service", "b.service", "c.service")) {
            starts(unit);
        }
        units.onJob(211, "a.service", "stop");
        units.onJob(212, "b.service", "stop");
        units.onJob(213, "c.service", "stop");
        exits("b.service", "success", 2, 15);
        exits("c.service", "success", 2, 15);
        assertThat(state().dependencies()).containsExactly("a.service", "b.service");
        assertThat(state().dependencyKind()).isEqualTo("PartOf");
    }

    @Test
    void aUnitThatIsBoundToOneThatCrashedIsStoppedBecauseOfIt() {
        details.put(
                "bind.service",
                new UnitDetails(ExitSettings.getDefaultInstance(), List.of(), List.of("base.service"), List.of()));
        starts("base.service");
        starts("bind.service");
        now = now.plusSeconds(60);
        exits("base.service", "signal", 2, 9);
        assertThat(state().dependencies()).isEmpty();
        units.onJob(290, "bind.service", "stop");
        exits("bind.service", "success", 2, 15);
        assertThat(state())
                .isEqualTo(new UnitState("", "success", "", false, "stop", List.of("base.service"), "BindsTo", null));
    }

    @Test
    void aJobOfLongAgoIsNotTheCause() {
        details.put(
                "part.service",
                new UnitDetails(ExitSettings.getDefaultInstance(), List.of("base.service"), List.of(), List.of()));
        starts("base.service");
        starts("part.service");
        units.onJob(211, "base.service", "stop");
        now = now.plusSeconds(60);
        units.onJob(212, "part.service", "stop");
        exits("part.service", "success", 2, 15);
        assertThat(state().dependencies()).isEmpty();
    }

    private static JournalLine line(String unit, int life, JournalLine.Kind kind, String word, Integer number) {
        return new JournalLine(
                START.plusMillis(1), unit, HexFormat.of().toHexDigits((byte) life), kind, word, number, null);
    }

    @Test
    void aLineThatComesAfterTheNextStartIsAboutTheLifeBefore() {
        starts(SLOW);
        exits(SLOW, "signal", 2, 9);
        starts(SLOW);
        units.onLine(line(SLOW, 1, JournalLine.Kind.EXITED, "killed", 9));
        assertThat(ends).extracting(end -> end.unit().invocationId()).containsOnly("01");
        assertThat(ends.getLast().reported().getEvidenceList()).containsExactly(Evidence.SYSTEMD, Evidence.JOURNAL);
        assertThat(ends.getLast().reported().getTime())
                .isEqualTo(ends.getFirst().reported().getTime());
    }

    @Test
    void aLineThatComesBeforeTheBusHasToldOfTheStartIsOfTheSameEnd() {
        units.onLine(line(SLOW, 1, JournalLine.Kind.EXITED, "exited", 3));
        starts(SLOW);
        exits(SLOW, "exit-code", 1, 3);
        assertThat(ends).extracting(end -> end.unit().invocationId()).containsOnly("01");
    }

    @Test
    void theJobThatStartsItAgainAfterItsEndIsNoRequestToEnd() {
        starts(SLOW);
        exits(SLOW, "success", 2, 15);
        subState(SLOW, "auto-restart");
        units.onJob(99, SLOW, "restart");
        assertThat(state().jobType()).isEmpty();
        starts(SLOW);
        now = now.plusSeconds(9);
        exits(SLOW, "success", 2, 15);
        assertThat(state().jobType()).isEmpty();
    }

    @Test
    void aRestartThatTheJournalCallsAStopUntilTheUnitIsDownIsARestart() {
        starts(SLOW);
        units.onLine(line(SLOW, 1, JournalLine.Kind.STOPPING, "stop", 15));
        exits(SLOW, "success", 2, 15);
        assertThat(state().jobType()).isEqualTo("stop");
        units.onLine(line(SLOW, 1, JournalLine.Kind.STOPPED, "restart", 15));
        assertThat(state().jobType()).isEqualTo("restart");
        units.onLine(line(SLOW, 1, JournalLine.Kind.STOPPING, "stop", 15));
        assertThat(state().jobType()).isEqualTo("restart");
    }

    @Test
    void aUnitThatIsResetKeepsTheResultOfItsEnd() {
        starts(SLOW);
        subState(SLOW, "stop-sigterm");
        changes(SLOW, Map.of("Result", "timeout", "SubState", "stop-sigkill"));
        exits(SLOW, "timeout", 2, 9);
        changes(SLOW, Map.of("Result", "success", "SubState", "dead"));
        assertThat(state().result()).isEqualTo("timeout");
        changes(SLOW, Map.of("Result", "start-limit-hit", "SubState", "failed"));
        assertThat(state().result()).isEqualTo("timeout");
    }

    @Test
    void aSignalThatAClientAskedForIsTheCauseOnlyIfItIsTheOneThatEndedIt() {
        starts(SLOW);
        units.onLine(line(SLOW, 1, JournalLine.Kind.CLIENT_SIGNAL, "", 1));
        exits(SLOW, "core-dump", 2, 11);
        assertThat(state().byClient()).isFalse();
        starts(SLOW);
        now = now.plusSeconds(9);
        units.onLine(line(SLOW, 2, JournalLine.Kind.CLIENT_SIGNAL, "", 15));
        exits(SLOW, "exit-code", 1, 143);
        assertThat(state().byClient()).isTrue();
    }

    @Test
    void theExitOfTheLifeBeforeIsNotThatOfALifeWhoseMainProcessHasNotStarted() {
        starts(SLOW);
        exits(SLOW, "signal", 2, 9);
        int before = ends.size();
        lives.put(SLOW, (byte) 2);
        exits(SLOW, "success", 2, 9);
        assertThat(ends).hasSize(before);
    }

    @Test
    void theLimitOfItsRunIsNoStopThatTimedOut() {
        starts(SLOW);
        changes(SLOW, Map.of("Result", "timeout", "SubState", "stop-sigterm"));
        exits(SLOW, "timeout", 2, 15);
        assertThat(state().phase()).isEqualTo("runtime");
    }

    @Test
    void theIdOfALifeIsReadAsAnArrayOrAList() {
        assertThat(UnitEnds.invocationId(List.of((byte) 0x5a, (byte) -1))).isEqualTo("5aff");
        assertThat(UnitEnds.invocationId(new byte[] {0x5a})).isEqualTo("5a");
        assertThat(UnitEnds.invocationId("nonsense")).isEmpty();
        assertThat(UnitEnds.invocationId(null)).isEmpty();
    }

    @Test
    void anEndFromBeforeIsNotReported() {
        now = START.minusSeconds(60);
        exits(SLOW, "signal", 2, 9);
        assertThat(ends).isEmpty();
    }

    @Test
    void theNamesOfUnitsAreReadFromTheirPaths() {
        assertThat(SystemdBus.unit("/org/freedesktop/systemd1/unit/slow_2eservice"))
                .isEqualTo("slow.service");
        assertThat(SystemdBus.unit("/org/freedesktop/systemd1/unit/a_40b_2dc_2eservice"))
                .isEqualTo("a@b-c.service");
        assertThat(SystemdBus.unit("/org/freedesktop/systemd1/unit/odd_2")).isEqualTo("odd_2");
    }
}
