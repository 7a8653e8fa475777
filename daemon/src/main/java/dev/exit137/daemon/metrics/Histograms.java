package dev.exit137.daemon.metrics;

import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;

/** Histograms with fixed buckets. */
public final class Histograms {
    private static final double[] LATENCY_SECONDS = {
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600
    };

    private Histograms() {}

    /**
     * A histogram of the time from what happened to a step of its event, in seconds; all such histograms have the same
     * buckets.
     */
    public static Histogram latency(PrometheusRegistry registry, String name, String help, String... labels) {
        return register(registry, name, help, LATENCY_SECONDS, labels);
    }

    /**
     * A histogram with the given buckets.
     *
     * @param upperBounds of the buckets, ascending, without infinity
     */
    public static Histogram register(
            PrometheusRegistry registry, String name, String help, double[] upperBounds, String... labels) {
        return Histogram.builder()
                .name(name)
                .help(help)
                .labelNames(labels)
                .classicOnly()
                .classicUpperBounds(upperBounds)
                .withoutExemplars()
                .register(registry);
    }
}
