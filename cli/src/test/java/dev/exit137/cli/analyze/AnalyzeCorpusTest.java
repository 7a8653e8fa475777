package dev.exit137.cli.analyze;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Published logs of many kernels, and what a person read in each of them. They are kept outside of this repository: in
 * EXIT137_CORPUS or ../shared/oom-corpus. Those that are recorded here are in {@link ContainersTest}.
 */
class AnalyzeCorpusTest {
    private static final String CONFIGURED = System.getenv("EXIT137_CORPUS");
    private static final Path FOLDER = Path.of(CONFIGURED == null ? "../../shared/oom-corpus" : CONFIGURED);

    /** Counted in pages since 3.19, no limit is 2^63 bytes less one page. */
    private static final long UNLIMITED_MIN_KB = (1L << 53) - 256;

    /** Where the index says more than the file does, or the file is no text of a kernel. */
    private static final Map<String, Set<String>> NOT_IN_THE_FILE = Map.of(
            // The stack alone says memcg; elsewhere the index calls the same unknown.
            "078-4.19.189-photon3-memcg1-guestlog-head.log", Set.of("scope"),
            // A pager cut the path itself: "/system.slice/firewalld.service,>" may go on.
            "138-4.18.0-240-rhel8.3-hyperv-global-journal.log", Set.of("task_memcg"),
            // Letters that a screenshot's reader guessed: "total-vm: 140620kB".
            "187-6.1.21-haos-global-ocr.log", Set.of("victims", "scope"));

    /** Once: it says so in one line. */
    @BeforeAll
    static void corpusIsThere() {
        if (!Files.isDirectory(FOLDER)) {
            assertThat(CONFIGURED)
                    .as("%s, the folder of EXIT137_CORPUS", FOLDER)
                    .isNull();
            String missing =
                    "no corpus of published OOM reports at " + FOLDER + " (EXIT137_CORPUS names another folder)";
            System.out.println("SKIPPED: " + missing);
            Assumptions.abort(missing);
        }
    }

    private static Analysis analyze(String file) {
        Analysis analysis = Analysis.run("-o", "json", FOLDER.resolve(file).toString());
        assertThat(analysis.exitCode()).isZero();
        assertThat(analysis.err()).isEmpty();
        return analysis;
    }

    @TestFactory
    Stream<DynamicTest> everyLogSaysWhatAPersonReadInIt() throws IOException {
        List<String> index = lines("INDEX.tsv");
        List<String> columns = List.of(index.getFirst().split("\t"));
        assertThat(index).hasSizeGreaterThan(1);
        return index.stream().skip(1).map(line -> {
            String[] cells = line.split("\t", -1);
            Map<String, String> row = new LinkedHashMap<>();
            for (int i = 0; i < columns.size(); i++) {
                row.put(columns.get(i), cells[i]);
            }
            return DynamicTest.dynamicTest(row.get("file"), () -> agrees(row));
        });
    }

    private static void agrees(Map<String, String> row) {
        List<OomKillEvent> events = analyze(row.get("file")).events();
        Set<String> notInTheFile = NOT_IN_THE_FILE.getOrDefault(row.get("file"), Set.of());
        if (!notInTheFile.contains("victims")) {
            assertThat(victims(events)).as("victims").isEqualTo(row.get("victims"));
        }
        assertThat(triggers(events)).as("triggers").isEqualTo(row.get("trigger_comm"));
        if (!notInTheFile.contains("scope")) {
            assertThat(events).extracting(OomKillEvent::getScope).as("scope").contains(scope(row.get("constraint")));
        }
        contains(events.stream().map(event -> event.getIncident().getOomMemcg()), row.get("oom_memcg"), "oom_memcg");
        if (!notInTheFile.contains("task_memcg")) {
            contains(
                    events.stream().map(event -> event.getIncident().getTaskMemcg()),
                    row.get("task_memcg"),
                    "task_memcg");
        }
        contains(events.stream().map(AnalyzeCorpusTest::limitKb), limitKb(row.get("limit_kB")), "limit");
    }

    private static void contains(Stream<String> values, String expected, String what) {
        if (!expected.isEmpty()) {
            assertThat(values).as(what).contains(expected);
        }
    }

    /** A process may be killed once in each incident of the file; the index counts pids. */
    private static String victims(List<OomKillEvent> events) {
        Map<Integer, String> byPid = new LinkedHashMap<>();
        events.stream()
                .filter(event -> event.getOutcome() == Outcome.KILLED)
                .map(OomKillEvent::getVictim)
                .forEach(victim -> byPid.putIfAbsent(
                        victim.getPid(),
                        victim.getPid() + ":" + victim.getComm() + ":"
                                + (victim.hasAnonRssBytes() ? victim.getAnonRssBytes() / 1024 : "-")));
        return String.join(";", byPid.values());
    }

    private static String triggers(List<OomKillEvent> events) {
        Map<String, Incident> incidents = new LinkedHashMap<>();
        events.forEach(event -> incidents.putIfAbsent(event.getIncident().getId(), event.getIncident()));
        return incidents.values().stream()
                .filter(Incident::hasTrigger)
                .map(incident -> incident.getTrigger().getComm())
                .collect(Collectors.joining(";"));
    }

    private static Scope scope(String constraint) {
        return switch (constraint) {
            case "memcg" -> Scope.MEMCG;
            case "global" -> Scope.GLOBAL;
            case "cpuset" -> Scope.CPUSET;
            case "mempolicy" -> Scope.MEMORY_POLICY;
            default -> Scope.UNKNOWN;
        };
    }

    private static String limitKb(OomKillEvent event) {
        Limit limit = event.getIncident().getLimit();
        return !limit.hasLimitBytes()
                ? ""
                : limit.getLimitBytes() == -1 ? "unlimited" : "" + limit.getLimitBytes() / 1024;
    }

    private static String limitKb(String cell) {
        return !cell.isEmpty() && Long.parseLong(cell) >= UNLIMITED_MIN_KB ? "unlimited" : cell;
    }

    private static List<String> lines(String file) throws IOException {
        return Files.readAllLines(FOLDER.resolve(file));
    }

    @Test
    void lookAlikesGiveNothing() throws IOException {
        assertThat(lines("NEGATIVES.log")).isNotEmpty();
        assertThat(analyze("NEGATIVES.log").out()).isEmpty();
    }

    @Test
    void eachLookAlikeAloneGivesNothing() throws IOException {
        List<String> believed = new ArrayList<>();
        for (String line : lines("NEGATIVES.log")) {
            if (!Analysis.events(line).isEmpty()) {
                believed.add(line);
            }
        }
        assertThat(believed).isEmpty();
    }

    @Test
    void linesOfAnOomThatNameNoKillGiveNoVictim() throws IOException {
        assertThat(lines("NEGATIVES-nokill.log")).isNotEmpty();
        assertThat(Analysis.victims(analyze("NEGATIVES-nokill.log").events())).isEmpty();
    }
}
