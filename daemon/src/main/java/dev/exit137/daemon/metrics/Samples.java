package dev.exit137.daemon.metrics;

import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot.GaugeDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import java.util.Map;

/** Snapshots of values that live elsewhere and are read at each scrape. */
public final class Samples {
    private static final String TOTAL = "_total";

    private Samples() {}

    /** A gauge without labels. */
    public static MetricSnapshot gauge(String name, String help, double value) {
        return gauge(name, help).dataPoint(gaugePoint(value, Labels.EMPTY)).build();
    }

    /** A gauge with one label, and one sample per label value. */
    public static MetricSnapshot gauge(String name, String help, String label, Map<String, ? extends Number> values) {
        GaugeSnapshot.Builder gauge = gauge(name, help);
        values.forEach((key, value) -> gauge.dataPoint(gaugePoint(value.doubleValue(), Labels.of(label, key))));
        return gauge.build();
    }

    /** A gauge of value 1 that carries its information in labels. */
    public static MetricSnapshot info(String name, String help, Labels labels) {
        return gauge(name, help).dataPoint(gaugePoint(1, labels)).build();
    }

    /** A counter without labels; its name ends with {@code _total}. */
    public static MetricSnapshot counter(String name, String help, double value) {
        return counter(name, help).dataPoint(counterPoint(value, Labels.EMPTY)).build();
    }

    /** A counter with one label, and one sample per label value; its name ends with {@code _total}. */
    public static MetricSnapshot counter(String name, String help, String label, Map<String, ? extends Number> values) {
        CounterSnapshot.Builder counter = counter(name, help);
        values.forEach((key, value) -> counter.dataPoint(counterPoint(value.doubleValue(), Labels.of(label, key))));
        return counter.build();
    }

    private static GaugeSnapshot.Builder gauge(String name, String help) {
        return GaugeSnapshot.builder().name(name).help(help);
    }

    private static CounterSnapshot.Builder counter(String name, String help) {
        return CounterSnapshot.builder()
                .name(name.substring(0, name.length() - TOTAL.length()))
                .help(help);
    }

    private static GaugeDataPointSnapshot gaugePoint(double value, Labels labels) {
        return GaugeDataPointSnapshot.builder().value(value).labels(labels).build();
    }

    private static CounterDataPointSnapshot counterPoint(double value, Labels labels) {
        return CounterDataPointSnapshot.builder().value(value).labels(labels).build();
    }
}
