package dev.exit137.daemon.metrics;

import dev.exit137.daemon.procfs.ProcStat;
import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The resource usage of this process, under the metric names of Prometheus' own libraries. */
public final class ProcessMetrics implements MultiCollector {
    private static final Path STAT = Path.of("/proc/self/stat");
    private static final Path STATUS = Path.of("/proc/self/status");
    private static final Path NODE_STAT = Path.of("/proc/stat");

    private ProcessMetrics() {}

    /** Returns a new registry with these metrics. */
    public static PrometheusRegistry registry() {
        PrometheusRegistry registry = new PrometheusRegistry();
        registry.register(new ProcessMetrics());
        return registry;
    }

    @Override
    public MetricSnapshots collect() {
        Runtime runtime = Runtime.getRuntime();
        List<MetricSnapshot> metrics = new ArrayList<>();
        metrics.add(Samples.gauge(
                "jvm_memory_used_bytes",
                "Memory in use, garbage included.",
                "area",
                Map.of("heap", runtime.totalMemory() - runtime.freeMemory())));
        metrics.add(Samples.gauge(
                "jvm_memory_max_bytes", "Memory that may be used.", "area", Map.of("heap", runtime.maxMemory())));
        try {
            ProcStat stat = ProcStat.parse(Files.readString(STAT)).orElseThrow();
            double started = bootTime() + seconds(stat.startedAfterBoot());
            double cpu = seconds(stat.cpuTime());
            metrics.add(Samples.gauge("process_start_time_seconds", "Start of the process, since 1970.", started));
            metrics.add(Samples.counter("process_cpu_seconds_total", "Time on processors, of user and kernel.", cpu));
            metrics.add(Samples.gauge(
                    "process_resident_memory_bytes", "Resident memory, pages of files included.", residentBytes()));
        } catch (IOException | RuntimeException e) {
            // An unusual procfs: the other metrics are still reported.
        }
        return new MetricSnapshots(metrics);
    }

    private static double seconds(Duration duration) {
        return duration.toMillis() / 1000.0;
    }

    /** {@code btime 1763712000}. */
    private static long bootTime() throws IOException {
        return number(NODE_STAT, "btime ");
    }

    /** {@code VmRSS:     43212 kB}. */
    private static long residentBytes() throws IOException {
        return number(STATUS, "VmRSS:") << 10;
    }

    private static long number(Path file, String key) throws IOException {
        try (var lines = Files.lines(file)) {
            return lines.filter(line -> line.startsWith(key))
                    .map(line -> Long.parseLong(
                            line.substring(key.length()).replace("kB", "").strip()))
                    .findFirst()
                    .orElseThrow();
        }
    }
}
