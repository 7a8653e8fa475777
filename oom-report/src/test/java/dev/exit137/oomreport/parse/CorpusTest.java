package dev.exit137.oomreport.parse;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.oomreport.parse.OomLine.Kind;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Published logs of kernels since 2.6.24, against what a person read in them, line by line. */
class CorpusTest {
    private static final List<String> PREFIXES = List.of("dmesg", "dmesg-T", "bare", "raw-kmsg", "syslog", "journal");

    /** Logs that this parser does not read as a person does, and why. */
    private static final Map<String, String> LATER = Map.of(
            "159-4.4.0-170-ubuntu-lxd-head-commspace.log", "the first line has lost the bracket before its time",
            "135-5.7.0rc6-lkft-armv7-global-consolemix.log",
                    "a console with words of another program within the lines");

    @TestFactory
    Stream<DynamicTest> readsThePublishedLogs() {
        Path folder = Corpus.folder();
        List<Row> rows = Records.lines(folder.resolve("INDEX.tsv")).stream()
                .skip(1)
                .map(row -> Row.of(folder, row))
                .filter(row -> PREFIXES.contains(row.prefix) && !LATER.containsKey(row.file))
                .toList();
        assertThat(rows).isNotEmpty();
        return rows.stream().map(row -> DynamicTest.dynamicTest(row.file, row::check));
    }

    @Test
    void linesThatOnlyLookLikeAReportGiveNothing() {
        assertThat(kernelLines("NEGATIVES.log"))
                .hasSizeGreaterThan(60)
                .allMatch(line -> line.get("kind") == Kind.NONE || line.get("kind") == Kind.TRIGGER_CPU);
    }

    @Test
    void linesOfAReportThatNameNoKillGiveNoVictim() {
        assertThat(kernelLines("NEGATIVES-nokill.log")).isNotEmpty().noneMatch(line -> line.get("kind") == Kind.KILLED);
    }

    /** Without the records that are not of the kernel's facility: whoever reads records leaves them out first. */
    private static List<Map<String, Object>> kernelLines(String file) {
        Path log = Corpus.folder().resolve(file);
        return Records.lines(log).stream()
                .filter(line -> !line.matches("1[12],\\d+,.*"))
                .map(Corpus::message)
                .map(Fields::parse)
                .toList();
    }

    private record Row(
            Path log,
            String file,
            String kernel,
            String prefix,
            String victims,
            String triggers,
            String oomMemcg,
            String taskMemcg,
            String limitKb) {
        static Row of(Path folder, String line) {
            String[] columns = line.split("\t", -1);
            return new Row(
                    folder.resolve(columns[0]),
                    columns[0],
                    columns[1],
                    columns[4],
                    columns[5],
                    columns[6],
                    columns[7],
                    columns[8],
                    columns[9]);
        }

        void check() {
            List<Map<String, Object>> lines =
                    Corpus.messages(log).stream().map(Fields::parse).toList();
            assertThat(victims(lines)).containsExactlyElementsOf(split(victims));
            assertThat(of(lines, Kind.INVOKED, "comm")).isEqualTo(split(triggers));
            assertThat(of(lines, Kind.SUMMARY, "oomMemcg")).allMatch(oomMemcg::equals);
            assertThat(of(lines, Kind.SUMMARY, "taskMemcg")).allMatch(taskMemcg::equals);
            if (!limitKb.isEmpty()) {
                long limit = limitKb.equals("9007199254740988") ? OomLine.UNLIMITED : Long.parseLong(limitKb) * 1024;
                assertThat(lines)
                        .filteredOn(line -> line.get("kind") == Kind.MEMORY_USAGE)
                        .allMatch(line -> line.get("limitBytes").equals(limit))
                        .isNotEmpty();
            }
        }

        private static List<String> split(String column) {
            return column.isEmpty() ? List.of() : Arrays.asList(column.split(";"));
        }

        private static List<String> victims(List<Map<String, Object>> lines) {
            Map<Object, String> byPid = new LinkedHashMap<>();
            for (Map<String, Object> line : lines) {
                if (line.get("kind") == Kind.KILLED) {
                    Long anonRssBytes = (Long) line.get("anonRssBytes");
                    byPid.putIfAbsent(
                            line.get("pid"),
                            line.get("pid") + ":" + line.get("comm") + ":"
                                    + (anonRssBytes == null ? "-" : anonRssBytes / 1024));
                }
            }
            return List.copyOf(byPid.values());
        }

        private static List<Object> of(List<Map<String, Object>> lines, Kind kind, String field) {
            return lines.stream()
                    .filter(line -> line.get("kind") == kind)
                    .map(line -> line.get(field))
                    .filter(Objects::nonNull)
                    .toList();
        }
    }
}
