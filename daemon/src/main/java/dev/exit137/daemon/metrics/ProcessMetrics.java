package dev.exit137.daemon.metrics;

import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What this process takes, by the names that Prometheus' own libraries use. */
public final class ProcessMetrics implements MultiCollector {
  private static final Path STAT = Path.of("/proc/self/stat");
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final Path NODE_STAT = Path.of("/proc/stat");
  // USER_HZ is 100 on every architecture that Java runs on.
  private static final double TICKS_PER_SECOND = 100;
  // proc_pid_stat(5), counted from the field after the name, which is the third.
  private static final int UTIME = 14 - 3;
  private static final int STIME = 15 - 3;
  private static final int START_TIME = 22 - 3;

  private ProcessMetrics() {}

  /** A registry of its own. */
  public static PrometheusRegistry registry() {
    PrometheusRegistry registry = new PrometheusRegistry();
    registry.register(new ProcessMetrics());
    return registry;
  }

  @Override
  public MetricSnapshots collect() {
    Runtime runtime = Runtime.getRuntime();
    List<MetricSnapshot> metrics = new ArrayList<>();
    metrics.add(
        Samples.gauge(
            "jvm_memory_used_bytes", "Memory in use, garbage included.", "area",
            Map.of("heap", runtime.totalMemory() - runtime.freeMemory())));
    metrics.add(
        Samples.gauge(
            "jvm_memory_max_bytes", "Memory that may be used.", "area", Map.of("heap", runtime.maxMemory())));
    try {
      String stat = Files.readString(STAT);
      // 4711 (java) S 1 …: the name may hold anything, spaces and parentheses included.
      String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", 0);
      double started = bootTime() + Long.parseLong(fields[START_TIME]) / TICKS_PER_SECOND;
      double cpu = (Long.parseLong(fields[UTIME]) + Long.parseLong(fields[STIME])) / TICKS_PER_SECOND;
      metrics.add(Samples.gauge("process_start_time_seconds", "Start of the process, since 1970.", started));
      metrics.add(Samples.counter("process_cpu_seconds_total", "Time on processors, of user and kernel.", cpu));
      metrics.add(
          Samples.gauge("process_resident_memory_bytes", "Resident memory, pages of files included.", residentBytes()));
    } catch (IOException | RuntimeException e) {
      // A procfs that is not as it is everywhere: the rest is told.
    }
    return new MetricSnapshots(metrics);
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
      return lines
          .filter(line -> line.startsWith(key))
          .map(line -> Long.parseLong(line.substring(key.length()).replace("kB", "").strip()))
          .findFirst()
          .orElseThrow();
    }
  }
}
