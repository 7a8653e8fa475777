package dev.exit137.daemon.http;

import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.util.List;

/**
 * A daemon, or a part of one, as the probes and Prometheus see it. For any thread. Nothing here takes a lock, a database
 * or a thread of a pool: a probe that waits for one of those has kubelet end a healthy daemon.
 */
public interface Observed {
  /** Whether its threads live. What a restart does not mend fails none of these. */
  List<Check> alive();

  /** Whether it does its work, and how what it works with is. */
  List<Check> ready();

  /** What it has counted, and how it is now, from memory. */
  MetricSnapshots metrics();
}
