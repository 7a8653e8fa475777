package dev.exit137.cli.local;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.cli.why.Fact;
import dev.exit137.cli.why.Subject;
import dev.exit137.cli.why.WhyAnswer;
import dev.exit137.proto.v1.ExitEvent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** systemd 252 after the fact: its journal is a capture in which each service ends in another way. */
class LocalUnitTest {
    private static final Instant NOW = Instant.ofEpochSecond(1_796_005_000);

    @TempDir
    Path directory;

    private final Map<String, String> properties = new HashMap<>();
    private String journalError = "";
    private String last = "";

    private Programs.Output run(String... command) throws IOException {
        return switch (command[0]) {
            case "systemctl" -> {
                String unit = command[command.length - 1];
                yield command[1].equals("show")
                        ? new Programs.Output(0, properties.getOrDefault(unit, "LoadState=not-found\n"), "")
                        : new Programs.Output(0, "slow.service loaded active running Slow\n", "");
            }
            case "journalctl" ->
                new Programs.Output(
                        0, Files.readString(Path.of("src/test/resources/local/journal-systemd252.json")), journalError);
            case "last" -> new Programs.Output(0, last, "");
            default -> throw new IOException(command[0] + " is not installed");
        };
    }

    private LocalHistory history() throws IOException {
        Files.writeString(directory.resolve("uptime"), "1000.00 1.00\n");
        Path kmsg = directory.resolve("kmsg");
        Files.writeString(kmsg, "");
        return new LocalHistory(
                new Host(directory, () -> NOW),
                path -> {
                    throw new IOException("Docker is not here");
                },
                this::run,
                kmsg);
    }

    private WhyAnswer find(String subject) throws Exception {
        return history().find(Subject.parse(subject), 3).orElseThrow();
    }

    @ParameterizedTest
    @CsvSource({
        "slow, 137, SYSTEMD_STOP_TIMEOUT",
        "fine, 137, SYSTEMD_CLIENT_REQUEST",
        "wd, 137, SYSTEMD_WATCHDOG",
        "startto, 137, SYSTEMD_START_TIMEOUT",
        "extkill, 137, UNKNOWN",
        "oomkill, 137, UNKNOWN",
    })
    void systemdsOwnLinesTellTheCauseAndWhereTheyDoNotNothingIsClaimed(String unit, int code, ExitEvent.Cause cause)
            throws Exception {
        ExitEvent end = find(unit).exits().getFirst();
        assertThat(end.getCause()).as(end.getExplanation()).isEqualTo(cause);
        assertThat(end.getExitCode()).isEqualTo(code);
        assertThat(end.getUnit()).isEqualTo(unit + ".service");
        assertThat(end.hasSender()).isFalse();
        assertThat(end.getEvidenceList()).contains(ExitEvent.Evidence.JOURNAL);
    }

    @Test
    void aStopThatTimedOutHasItsTimelineAndGracePeriod() throws Exception {
        properties.put(
                "slow.service",
                "LoadState=loaded\nActiveState=failed\nTimeoutStopUSec=1s\nMemoryMax=infinity\n"
                        + "Restart=always\nNRestarts=2\n");
        WhyAnswer answer = find("slow");
        ExitEvent end = answer.exits().getFirst();
        assertThat(end.getStopRequest().getWaited().getSeconds()).isEqualTo(1);
        assertThat(end.getStopRequest().getGrace().getSeconds()).isEqualTo(1);
        assertThat(end.getSettings().getMemoryLimitBytes()).isEqualTo(-1);
        assertThat(answer.facts())
                .anyMatch(fact ->
                        fact.certain() && fact.text().equals("systemd has started it again 2 times (Restart=always)"));
    }

    @ParameterizedTest
    @CsvSource({"part, PartOf, SYSTEMD_STOP_TIMEOUT", "bind, BindsTo, SYSTEMD_DEPENDENCY"})
    void theUnitThatItDependsOnIsNamedWithTheKindOfTheDependency(String unit, String kind, ExitEvent.Cause cause)
            throws Exception {
        properties.put(unit + ".service", "LoadState=loaded\n" + kind + "=base.service\n");
        ExitEvent end = find(unit).exits().getFirst();
        assertThat(end.getCause()).as(end.getExplanation()).isEqualTo(cause);
        assertThat(end.getAskedBy().getUnitsList()).containsExactly("base.service");
        assertThat(end.getExplanation()).contains("because of base.service (" + kind + ")");
    }

    @Test
    void theLimitOfRunningTimeIsNotCalledATimeoutOfAStop() throws Exception {
        WhyAnswer answer = find("rtm");
        assertThat(answer.exits().getFirst().getCause()).isNotEqualTo(ExitEvent.Cause.SYSTEMD_STOP_TIMEOUT);
        assertThat(answer.facts()).anyMatch(fact -> fact.text().contains("RuntimeMaxSec"));
    }

    @Test
    void anOomKillThatSystemdSawIsAFactOfTwoPossibleSenders() throws Exception {
        assertThat(find("oomkill").facts())
                .anyMatch(fact -> fact.text().contains("can be one by the kernel or by systemd-oomd"));
    }

    @Test
    void whoWasLoggedInAtTheEndIsPossibleAndNeverCertain() throws Exception {
        last = """
                root     pts/0        10.0.0.5         2026-11-30T02:00:00+00:00 - 2027-11-30T12:00:00+00:00  (1:00)
                ann      pts/1        10.0.0.6         2026-11-30T01:00:00+0000 - 2026-11-30T02:00:00+0000  (1:00)
                bob      pts/2        10.0.0.7         2026-11-30T02:01:00+00:00   still logged in
                reboot   system boot  6.1.0            2026-11-30T10:00:00+00:00   still running

                wtmp begins 2026-11-01T00:00:00+00:00
                """;
        assertThat(find("extkill").facts().stream()
                        .filter(fact -> fact.text().contains("logged in"))
                        .toList())
                .hasSize(2)
                .noneMatch(Fact::certain)
                .anyMatch(fact -> fact.text().contains("root pts/0 10.0.0.5"));
    }

    @Test
    void aJournalThatIsNotReadWholeIsSaid() throws Exception {
        journalError = "Hint: You are currently not seeing messages from other users and the system.";
        assertThat(find("slow").unread()).contains("all of the journal: " + journalError);
    }

    @Test
    void aUnitThatIsNotKnownLeavesTheNamesThatThereAre() throws Exception {
        LocalHistory history = history();
        assertThat(history.find(Subject.parse("slwo"), 3)).isEmpty();
        assertThat(history.names()).contains("slow", "slow.service");
    }

    @ParameterizedTest
    @CsvSource({"1min 30s, 90", "infinity, 0", "2h, 7200", "1month, 2629800"})
    void aSpanOfSystemdIsRead(String text, long seconds) {
        assertThat(UnitHistory.span(text).map(span -> span.getSeconds()).orElse(0L))
                .isEqualTo(seconds);
    }

    @Test
    void aLineThatAnotherProcessWroteIsNotSystemds() {
        String line = "{\"_PID\":\"77\",\"UNIT\":\"x.service\",\"__REALTIME_TIMESTAMP\":\"1\",\"MESSAGE\":\"m\"}";
        assertThat(UnitJournal.lines(line)).isEmpty();
        assertThat(UnitJournal.lines(line.replace("77", "1"))).hasSize(1);
        assertThat(UnitJournal.lines("{\"_PID\":\"1\",\"UNIT\":\"x.serv")).isEmpty();
    }
}
