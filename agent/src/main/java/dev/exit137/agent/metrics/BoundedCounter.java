package dev.exit137.agent.metrics;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Counts by workload, for a bounded number of workloads. A user who may create containers can invent any number of
 * names, and each would keep a series for ever, here and in Prometheus. Later workloads count under {@link #OTHERS}.
 * Agent-worker thread.
 */
final class BoundedCounter {
    /** The workload label of all workloads without a series of their own. */
    static final String OTHERS = "other_workloads";

    private final Counter counter;
    private final Counter overflows;
    private final int maxSeries;
    private final Set<List<String>> series = new HashSet<>();

    /** @param overflows counts the additions under {@link #OTHERS} */
    BoundedCounter(PrometheusRegistry registry, String name, String help, Counter overflows, int maxSeries) {
        counter = Counter.builder()
                .name(name)
                .help(help)
                .labelNames("namespace", "workload", "container", "scope", "limit_owner")
                .withoutExemplars()
                .register(registry);
        this.overflows = overflows;
        this.maxSeries = maxSeries;
        // An initial series of 0, so that a rate is known from the start.
        counter.initLabelValues("", "", "", "", "");
    }

    void add(KillLabels labels) {
        List<String> own = labels.values();
        if (series.contains(own) || (series.size() < maxSeries && series.add(own))) {
            count(own);
        } else {
            overflows.inc();
            count(new KillLabels("", OTHERS, "", labels.scope(), labels.limitOwner()).values());
        }
    }

    private void count(List<String> labels) {
        counter.labelValues(labels.toArray(String[]::new)).inc();
    }
}
