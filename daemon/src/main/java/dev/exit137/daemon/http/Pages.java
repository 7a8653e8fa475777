package dev.exit137.daemon.http;

import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.metrics.ProcessMetrics;
import dev.exit137.daemon.metrics.Samples;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/** The three pages of a process, which runs one daemon or two. */
public final class Pages {
    /** The large page that may wait for the disk. */
    static final String METRICS = "/metrics";

    private static final String PLACE = "metrics";
    private static final PrometheusTextFormatWriter FORMAT = PrometheusTextFormatWriter.create();

    private final Guard guard;
    private final List<Observed> parts;
    private final PrometheusRegistry process = ProcessMetrics.registry();

    /**
     * @param guard of this process
     * @param parts the daemons; their metric names must not overlap
     */
    public Pages(Guard guard, Observed... parts) {
        this.guard = guard;
        this.parts = List.of(parts);
    }

    /** Returns the page at a path. */
    Answer at(String path) {
        return switch (path) {
            case "/livez" -> probe(Observed::alive);
            case "/readyz" -> probe(Observed::ready);
            case METRICS -> metrics();
            default -> Answer.text(404, "there are /livez, /readyz and /metrics\n");
        };
    }

    private Answer probe(Function<Observed, List<Check>> question) {
        List<Check> checks =
                parts.stream().flatMap(part -> question.apply(part).stream()).toList();
        boolean passed = checks.stream().allMatch(Check::passed);
        String lines = checks.stream().map(check -> check + "\n").collect(Collectors.joining());
        return Answer.text(passed ? 200 : 503, lines);
    }

    /** Collects each part separately: a part that fails is left out, and counted at the end of this page. */
    private Answer metrics() {
        ByteArrayOutputStream page = new ByteArrayOutputStream();
        for (Observed part : parts) {
            append(page, part::metrics);
        }
        append(page, process::scrape);
        append(page, this::internalErrors);
        return new Answer(200, FORMAT.getContentType(), page.toByteArray());
    }

    private void append(ByteArrayOutputStream page, Supplier<MetricSnapshots> part) {
        guard.run(PLACE, () -> {
            ByteArrayOutputStream text = new ByteArrayOutputStream();
            try {
                FORMAT.write(text, part.get());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            page.writeBytes(text.toByteArray());
        });
    }

    private MetricSnapshots internalErrors() {
        // One place with the value 0, so that the metric exists before the first failure.
        SortedMap<String, Long> counts = new TreeMap<>(Map.of(PLACE, 0L));
        counts.putAll(guard.counts());
        return new MetricSnapshots(Samples.counter(
                "exit137_internal_errors_total", "Unexpected exceptions that this process survived.", "place", counts));
    }
}
