package dev.exit137.agent;

import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** What Prometheus reads. */
public final class Scrape {
    private Scrape() {}

    /** Each series as it is written, with its labels in the order of their names, and its value. */
    public static Map<String, Double> of(MetricSnapshots metrics) {
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        try {
            PrometheusTextFormatWriter.create().write(text, metrics);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Map<String, Double> series = new LinkedHashMap<>();
        // Only a line feed ends a line of this format.
        for (String line : text.toString(StandardCharsets.UTF_8).split("\n")) {
            if (!line.startsWith("#")) {
                int end = line.lastIndexOf(' ');
                series.put(line.substring(0, end), Double.valueOf(line.substring(end + 1)));
            }
        }
        return series;
    }

    /** The series of one metric that are not 0, without its name. */
    public static Map<String, Double> counted(MetricSnapshots metrics, String metric) {
        Map<String, Double> counted = new LinkedHashMap<>();
        of(metrics).forEach((series, value) -> {
            if (value != 0 && (series.equals(metric) || series.startsWith(metric + "{"))) {
                counted.put(series.substring(metric.length()), value);
            }
        });
        return counted;
    }
}
