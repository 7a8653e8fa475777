package dev.exit137.cli.documents;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.cli.Session;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** docs/metrics.md has each metric of both daemons, and no other. */
class MetricsTableTest {
    // | `exit137_watchers` | gauge | | watches | aggregator | open watches of consumers |
    private static final Pattern ROW = Pattern.compile("\\| `([a-z0-9_]+)` \\| (\\w+) \\| ([a-z_, ]*)\\|.*");
    private static final Pattern TYPE = Pattern.compile("# TYPE (\\S+) (\\S+)");
    private static final Pattern SERIES = Pattern.compile("([a-z0-9_]+?)(_bucket|_count|_sum)?(?:\\{(.*)})? \\S+");
    private static final Pattern LABEL = Pattern.compile("([a-z_]+)=\"(?:[^\"\\\\]|\\\\.)*\"");

    @TempDir
    Path directory;

    /** @param labels in the order of the alphabet */
    private record Metric(String type, Set<String> labels) {}

    @Test
    void theTableIsWhatADaemonExposes() throws Exception {
        assertThat(documented()).isNotEmpty().containsExactlyInAnyOrderEntriesOf(exposed(scrape()));
    }

    private static Map<String, Metric> documented() throws IOException {
        Map<String, Metric> metrics = new TreeMap<>();
        for (String line : Document.read(Path.of("docs/metrics.md")).prose()) {
            Matcher row = ROW.matcher(line);
            if (row.matches()) {
                Set<String> labels = new TreeSet<>(Set.of(row.group(3).strip().split(", ")));
                labels.remove("");
                metrics.put(row.group(1), new Metric(row.group(2), labels));
            }
        }
        return metrics;
    }

    private static Map<String, Metric> exposed(String text) {
        Map<String, Metric> metrics = new TreeMap<>();
        for (String line : text.split("\n")) {
            Matcher type = TYPE.matcher(line);
            Matcher series = SERIES.matcher(line);
            if (type.matches()) {
                metrics.put(type.group(1), new Metric(type.group(2), new TreeSet<>()));
            } else if (!line.startsWith("#") && series.matches()) {
                String whole = series.group(1) + (series.group(2) == null ? "" : series.group(2));
                Set<String> labels = metrics.getOrDefault(series.group(1), metrics.get(whole))
                        .labels();
                LABEL.matcher(series.group(3) == null ? "" : series.group(3))
                        .results()
                        .map(label -> label.group(1))
                        .filter(label -> !label.equals("le"))
                        .forEach(labels::add);
            }
        }
        return metrics;
    }

    /** Both daemons in one process, on a node without kills. */
    private String scrape() throws Exception {
        Files.writeString(Files.createDirectory(directory.resolve("cgroup")).resolve("cgroup.controllers"), "memory\n");
        Session session = new Session();
        CompletableFuture<Integer> exit = session.start(
                "run",
                "--listen",
                "127.0.0.1:0",
                "--http-listen",
                "127.0.0.1:0",
                "--node-name",
                "node",
                "--data-dir",
                directory.resolve("data").toString(),
                "--state-dir",
                directory.resolve("state").toString(),
                "--kmsg-path",
                directory.resolve("none").toString(),
                "--cgroup-root",
                directory.resolve("cgroup").toString());
        try {
            String line = session.nextErrorLine();
            while (!line.contains("http://")) {
                line = session.nextErrorLine();
            }
            URI pages = URI.create(line.substring(line.indexOf("http://"), line.indexOf(" has ")) + "/metrics");
            try (InputStream body = pages.toURL().openStream()) {
                return new String(body.readAllBytes(), UTF_8);
            }
        } finally {
            session.stop.request();
            exit.join();
        }
    }
}
