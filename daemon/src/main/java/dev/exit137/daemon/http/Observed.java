package dev.exit137.daemon.http;

import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.util.List;

/**
 * A daemon, or a part of one, as the probes and Prometheus see it. For any thread. The methods never wait for a lock, a
 * database or a thread of a pool: a probe that waits makes the kubelet restart a healthy daemon.
 */
public interface Observed {
    /** Whether its threads run. A condition that a restart does not cure fails no check. */
    List<Check> alive();

    /** Whether it does its work, and the state of its dependencies. */
    List<Check> ready();

    /** Returns its counters and its current state, from memory. */
    MetricSnapshots metrics();
}
