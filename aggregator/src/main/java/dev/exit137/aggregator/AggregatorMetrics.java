package dev.exit137.aggregator;

import dev.exit137.aggregator.server.Refusals;
import dev.exit137.aggregator.store.EventStore;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.metrics.Samples;
import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/** The state of the aggregator, read when Prometheus scrapes: from memory, except for the sizes of three files. */
final class AggregatorMetrics implements MultiCollector {
    private final Guard guard;
    private final List<Supplier<MetricSnapshot>> metrics;

    AggregatorMetrics(Guard guard, EventStore store, GrpcServer server) {
        this(
                guard,
                List.of(
                        () -> Samples.gauge(
                                "exit137_store_bytes", "What the store's files take on the disk.", store.bytes()),
                        () -> Samples.gauge("exit137_store_events", "Events that the store holds.", store.events()),
                        () -> Samples.gauge(
                                "exit137_store_writable",
                                "Whether events can be stored.",
                                store.writeFailure().isEmpty() ? 1 : 0),
                        () -> Samples.gauge(
                                "exit137_connected_agents",
                                "Nodes whose agent has a stream open.",
                                server.connectedAgents()),
                        () -> Samples.gauge(
                                "exit137_watchers", "Watches of consumers that are open.", server.watches()),
                        () -> Samples.counter(
                                "exit137_refusals_total",
                                "Calls, messages and connections refused.",
                                "reason",
                                counts(server.refusals())),
                        () -> Samples.gauge(
                                "exit137_node_losses",
                                "Losses as the agents reported them last, summed over all nodes.",
                                "kind",
                                store.nodeLosses())));
    }

    /** @param metrics each is collected separately */
    AggregatorMetrics(Guard guard, List<Supplier<MetricSnapshot>> metrics) {
        this.guard = guard;
        this.metrics = metrics;
    }

    /** Leaves out a metric that fails. */
    @Override
    public MetricSnapshots collect() {
        return new MetricSnapshots(metrics.stream()
                .flatMap(metric ->
                        guard
                                .get("metrics", () -> Optional.of(metric.get()), Optional.<MetricSnapshot>empty())
                                .stream())
                .toList());
    }

    private static Map<String, Long> counts(Refusals refusals) {
        Map<String, Long> counts = new LinkedHashMap<>();
        for (Refusals.Reason reason : Refusals.Reason.values()) {
            counts.put(reason.name().toLowerCase(Locale.ROOT), refusals.count(reason));
        }
        return counts;
    }
}
