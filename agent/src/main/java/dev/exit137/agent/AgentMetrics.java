package dev.exit137.agent;

import dev.exit137.agent.delivery.AgentState;
import dev.exit137.daemon.metrics.LossKinds;
import dev.exit137.daemon.metrics.Samples;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The agent's status for Prometheus: the same figures as {@code exit137 nodes}, each counted in one place. */
final class AgentMetrics {
    private AgentMetrics() {}

    static List<MetricSnapshot> of(AgentState state) {
        AgentStatus status = state.status();
        List<MetricSnapshot> metrics = new ArrayList<>();
        metrics.add(Samples.counter(
                "exit137_losses_total",
                "Evidence lost or not certain, since the node's boot, by the names of Losses.",
                "kind",
                LossKinds.of(status.getLosses())));
        metrics.add(Samples.counter(
                "exit137_ambiguous_kills_total",
                "Kills whose cgroup was not certain when reported, since the boot.",
                status.getLosses().getKillsAmbiguous()));
        if (status.getBalance().hasUnaccounted()) {
            metrics.add(Samples.gauge(
                    "exit137_unaccounted_kills",
                    "Kills that /proc/vmstat counts and no event accounts for.",
                    status.getBalance().getUnaccounted()));
        }
        metrics.add(Samples.gauge(
                "exit137_source_in_use",
                "Whether a source of evidence is in use.",
                "source",
                sources(status.getSourcesList())));
        metrics.add(Samples.gauge(
                "exit137_watched_cgroups", "Memory cgroups that are watched.", status.getWatchedCgroups()));
        metrics.add(Samples.gauge("exit137_spool_bytes", "What the spool takes on the disk.", state.spoolBytes()));
        metrics.add(Samples.gauge(
                "exit137_spool_events",
                "Events that no aggregator has acknowledged.",
                status.getUnacknowledgedEvents()));
        metrics.add(Samples.gauge(
                "exit137_aggregator_connected",
                "Whether an aggregator takes events.",
                state.awaySince() == null ? 1 : 0));
        metrics.add(Samples.info(
                "exit137_agent_info",
                "What runs where.",
                Labels.of(
                        "version", status.getAgentVersion(),
                        "kernel_release", status.getNode().getKernelRelease(),
                        "cgroup_version", status.getCgroupMode().name().toLowerCase(Locale.ROOT))));
        return metrics;
    }

    private static Map<String, Integer> sources(List<SourceStatus> all) {
        Map<String, Integer> inUse = new LinkedHashMap<>();
        for (SourceStatus source : all) {
            boolean works = source.getState() == State.ACTIVE || source.getState() == State.DEGRADED;
            inUse.merge(source.getName(), works ? 1 : 0, Math::max);
        }
        return inUse;
    }
}
