package dev.exit137.agent.systemd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.daemon.guard.Guard;
import dev.exit137.exitreport.facts.End;
import dev.exit137.exitreport.facts.JournalLine;
import dev.exit137.exitreport.facts.JournalLine.Kind;
import dev.exit137.exitreport.facts.UnitState;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.ExitSettings;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The journal of a real systemd 252 while its services were ended in every way. */
class JournalReaderTest {
    private static final List<String> RECORDED = recorded();

    private final List<JournalLine> lines = new ArrayList<>();
    private final List<End> ends = new ArrayList<>();
    private final JournalReader reader = new JournalReader(Instant.EPOCH, lines::add);
    private UnitEnds units;

    private static List<String> recorded() {
        try (InputStream in = JournalReaderTest.class.getResourceAsStream("journal-systemd252.jsonl")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @BeforeEach
    void read() {
        units = new UnitEnds(
                ends::add,
                unit -> CompletableFuture.completedFuture(new UnitDetails(
                        ExitSettings.getDefaultInstance(),
                        unit.equals("part.service") ? List.of("base.service") : List.of(),
                        List.of(),
                        List.of())),
                Instant.EPOCH,
                InstantSource.fixed(Instant.EPOCH),
                new Guard());
        RECORDED.forEach(reader::accept);
        lines.forEach(units::onLine);
    }

    private End last(String unit) {
        return ends.stream()
                .filter(end -> end.reported().getUnit().equals(unit))
                .toList()
                .getLast();
    }

    private UnitState state(String unit) {
        UnitState state = last(unit).unit();
        assertThat(state.invocationId()).matches("[0-9a-f]{32}");
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

    /** The state of the unit in the life that ended last. */
    private static UnitState life(
            String result, String phase, boolean byClient, String job, List<String> because, String kind) {
        return new UnitState("", result, phase, byClient, job, because, kind, null);
    }

    private List<Kind> kinds(String unit) {
        return lines.stream()
                .filter(line -> line.unit().equals(unit))
                .map(JournalLine::kind)
                .toList();
    }

    @Test
    void aStopThatTimedOutIsKilledBySystemd() {
        assertThat(kinds("slow.service").subList(0, 7))
                .containsExactly(
                        Kind.STOPPING,
                        Kind.STOP_TIMED_OUT,
                        Kind.KILLING,
                        Kind.KILLING,
                        Kind.EXITED,
                        Kind.RESULT,
                        Kind.STOPPED);
        assertThat(last("slow.service").reported().getExitCode()).isEqualTo(137);
        assertThat(last("slow.service").reported().getSignal()).isEqualTo(9);
        assertThat(last("slow.service").reported().getEvidenceList()).containsExactly(Evidence.JOURNAL);
        assertThat(state("slow.service")).isEqualTo(life("timeout", "stop", false, "stop", List.of(), ""));
    }

    @Test
    void whoIsKilledIsNamedWithTheSignal() {
        JournalLine killing = lines.stream()
                .filter(line -> line.kind() == Kind.KILLING)
                .findFirst()
                .orElseThrow();
        assertThat(killing.pid()).isEqualTo(221);
        assertThat(killing.word()).isEqualTo("slow.sh");
        assertThat(killing.number()).isEqualTo(9);
    }

    @Test
    void aSignalThatAClientAskedForIsNoJob() {
        assertThat(state("fine.service")).isEqualTo(life("signal", "", true, "", List.of(), ""));
    }

    @Test
    void aStopOfAnotherUnitOfWhichThisOneIsAPartIsInferredFromTheirJobs() {
        assertThat(state("part.service"))
                .isEqualTo(life("timeout", "stop", false, "stop", List.of("base.service"), "PartOf"));
    }

    @Test
    void aStartThatTimedOutIsAStartThoughItsStopTimedOutToo() {
        assertThat(state("startto.service").phase()).isEqualTo("start");
        assertThat(state("startto.service").jobType()).isEmpty();
    }

    @Test
    void theWatchdogAndTheOomKillerAreResults() {
        assertThat(state("wd.service").result()).isEqualTo("watchdog");
        assertThat(state("oomkill.service").result()).isEqualTo("oom-kill");
        assertThat(kinds("oomstop.service")).startsWith(Kind.OOM);
    }

    @Test
    void aKillByAShellHasNothingButTheSignal() {
        assertThat(state("extkill.service")).isEqualTo(life("signal", "", false, "", List.of(), ""));
    }

    @Test
    void aServiceThatEndsByTheStopSignalIsNotInTheJournal() {
        assertThat(ends).noneMatch(end -> end.reported().getUnit().equals("bind.service"));
    }

    @Test
    void aLineThatOnlyLooksLikeSystemdsIsCountedAndIgnored() {
        int before = lines.size();
        for (String line : RECORDED) {
            reader.accept(line.replace("\"_PID\":\"1\"", "\"_PID\":\"4711\""));
        }
        assertThat(lines).hasSize(before);
        assertThat(reader.lies()).isEqualTo(before);
        reader.accept(RECORDED.getFirst().replace("\"_TRANSPORT\":\"journal\"", "\"_TRANSPORT\":\"syslog\""));
        assertThat(lines).hasSize(before);
    }

    @Test
    void aLineThatIsNoJsonOrHasFieldsOfOtherTypesIsSurvived() {
        reader.accept("-- No entries --");
        reader.accept("{\"_PID\":\"1\"");
        assertThat(reader.notUnderstood()).isEqualTo(2);
        reader.accept("{\"_PID\":[\"1\",\"2\"],\"MESSAGE\":[1,2,3],\"UNIT\":null}");
        assertThat(reader.notUnderstood()).isEqualTo(2);
    }
}
