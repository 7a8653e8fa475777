package dev.exit137.agent.metrics;

import dev.exit137.daemon.collect.BoundedMap;
import dev.exit137.daemon.metrics.Histograms;
import dev.exit137.oomreport.explain.Explainer;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import dev.exit137.proto.v1.Victim;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Counts events, each once in all of its revisions. Events from before this agent was watching have counters of their
 * own, so that a first start does not look like an incident. Agent-worker thread.
 */
public final class KillMetrics {
    private static final int MAX_REMEMBERED = 1024;
    private static final double[] MEMORY_BOUNDS = powersOf4(1 << 20, 10);

    private final int maxSeries;
    private final Set<String> countedIncidents = Collections.newSetFromMap(BoundedMap.byAccess(MAX_REMEMBERED));
    private final Set<String> sentEvents = Collections.newSetFromMap(BoundedMap.byAccess(MAX_REMEMBERED));
    private @Nullable Counters counters;

    /** @param maxSeries of each counter */
    public KillMetrics(int maxSeries) {
        this.maxSeries = maxSeries;
    }

    /** Creates the counters on first use: Prometheus' library takes a while to load, and must not delay the watch. */
    private synchronized Counters counters() {
        if (counters == null) {
            counters = new Counters(maxSeries);
        }
        return counters;
    }

    /** Returns the metrics for Prometheus. Any thread. */
    public MetricSnapshots snapshots() {
        return counters().registry.scrape();
    }

    private static final class Counters {
        private final PrometheusRegistry registry = new PrometheusRegistry();
        private final Counter overflows = Counter.builder()
                .name("exit137_series_overflows_total")
                .help("Additions to counters under workload=\"" + BoundedCounter.OTHERS
                        + "\", past --metrics-max-series.")
                .withoutExemplars()
                .register(registry);
        private final BoundedCounter kills;
        private final BoundedCounter incidents;
        private final BoundedCounter recoveredKills;
        private final BoundedCounter recoveredIncidents;
        private final BoundedCounter innocent;
        private final Histogram memory = Histograms.register(
                registry,
                "exit137_oom_kill_memory_bytes",
                "Resident memory of the process that was killed.",
                MEMORY_BOUNDS);
        private final Histogram sendLatency = Histograms.latency(
                registry,
                "exit137_send_latency_seconds",
                "From the kernel's record of a kill until its event was first handed to an aggregator.");

        Counters(int maxSeries) {
            kills = counter("exit137_oom_kills_total", "Processes that the OOM killer killed.", maxSeries);
            incidents = counter("exit137_oom_incidents_total", "OOMs, however many processes each killed.", maxSeries);
            recoveredKills = counter(
                    "exit137_recovered_oom_kills_total", "Processes killed before this agent was watching.", maxSeries);
            recoveredIncidents = counter(
                    "exit137_recovered_oom_incidents_total", "OOMs from before this agent was watching.", maxSeries);
            innocent = counter(
                    "exit137_innocent_victim_kills_total",
                    "Processes killed at a limit that they shared, or on a full node, while others held more.",
                    maxSeries);
        }

        private BoundedCounter counter(String name, String help, int maxSeries) {
            return new BoundedCounter(registry, name, help, overflows, maxSeries);
        }
    }

    private static double[] powersOf4(double first, int count) {
        double[] bounds = new double[count];
        for (int i = 0; i < count; i++) {
            bounds[i] = first * Math.pow(4, i);
        }
        return bounds;
    }

    /** Counts an event with the names that it has; call it once for each event. */
    public void count(OomKillEvent event) {
        Counters count = counters();
        KillLabels labels = KillLabels.of(event);
        boolean recovered = event.getRecovered();
        if (countedIncidents.add(event.getIncident().getId())) {
            (recovered ? count.recoveredIncidents : count.incidents).add(labels);
        }
        if (event.getOutcome() != Outcome.KILLED) {
            return;
        }
        (recovered ? count.recoveredKills : count.kills).add(labels);
        if (recovered) {
            return;
        }
        if (Explainer.isInnocentVictim(event)) {
            count.innocent.add(labels);
        }
        Victim victim = event.getVictim();
        if (victim.hasAnonRssBytes()) {
            count.memory.observe(victim.getAnonRssBytes() + victim.getFileRssBytes() + victim.getShmemRssBytes());
        }
    }

    /** Takes a better revision of a counted event: its incident may have another id by now. */
    public void revised(OomKillEvent event) {
        countedIncidents.add(event.getIncident().getId());
    }

    /** Takes an event that is handed to an aggregator, for the first time or again. */
    public void sent(OomKillEvent event, Instant now) {
        if (!event.getRecovered() && event.hasTime() && sentEvents.add(event.getEventId())) {
            Instant killed = Instant.ofEpochSecond(
                    event.getTime().getSeconds(), event.getTime().getNanos());
            counters()
                    .sendLatency
                    .observe(Math.max(0, Duration.between(killed, now).toNanos() / 1e9));
        }
    }
}
