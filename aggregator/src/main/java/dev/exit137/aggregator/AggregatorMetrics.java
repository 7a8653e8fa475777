package dev.exit137.aggregator;

import dev.exit137.aggregator.access.Refusals;
import dev.exit137.aggregator.store.EventStore;
import dev.exit137.aggregator.store.StoredNode;
import dev.exit137.proto.metrics.LossKinds;
import dev.exit137.proto.metrics.Samples;
import dev.exit137.proto.v1.Losses;
import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How the aggregator is, read when Prometheus asks. */
final class AggregatorMetrics implements MultiCollector {
  private static final Logger log = LoggerFactory.getLogger(AggregatorMetrics.class);

  private final EventStore store;
  private final GrpcServer server;

  AggregatorMetrics(EventStore store, GrpcServer server) {
    this.store = store;
    this.server = server;
  }

  @Override
  public MetricSnapshots collect() {
    List<MetricSnapshot> metrics = new ArrayList<>();
    metrics.add(Samples.gauge("exit137_store_bytes", "What the store's files take on the disk.", store.bytes()));
    metrics.add(Samples.gauge("exit137_store_events", "Events that the store holds.", store.events()));
    metrics.add(
        Samples.gauge(
            "exit137_store_writable", "Whether events can be stored.", store.writeFailure().isEmpty() ? 1 : 0));
    metrics.add(
        Samples.gauge(
            "exit137_connected_agents", "Nodes whose agent has a stream open.", server.connectedAgents()));
    metrics.add(Samples.gauge("exit137_watchers", "Watches of consumers that are open.", server.watches()));
    metrics.add(
        Samples.counter("exit137_refusals_total", "Calls, messages and connections refused.", "reason", refusals()));
    try {
      metrics.add(
          Samples.gauge(
              "exit137_node_losses", "Losses as the agents reported them last, summed over all nodes.", "kind", losses()));
    } catch (SQLException e) {
      log.debug("the nodes' losses cannot be read", e);
    }
    return new MetricSnapshots(metrics);
  }

  private Map<String, Long> refusals() {
    Map<String, Long> counts = new LinkedHashMap<>();
    for (Refusals.Reason reason : Refusals.Reason.values()) {
      counts.put(reason.name().toLowerCase(Locale.ROOT), server.refusals().count(reason));
    }
    return counts;
  }

  private Map<String, Long> losses() throws SQLException {
    Map<String, Long> sums = LossKinds.of(Losses.getDefaultInstance());
    for (StoredNode node : store.nodes()) {
      LossKinds.of(node.status().getLosses()).forEach((kind, count) -> sums.merge(kind, count, Long::sum));
    }
    return sums;
  }
}
