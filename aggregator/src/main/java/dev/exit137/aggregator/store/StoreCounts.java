package dev.exit137.aggregator.store;

import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.metrics.Histograms;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;

/**
 * Counts the outcomes of the events that agents sent, after they are on the disk. Used by the store's writer thread,
 * except for the number of rows.
 */
final class StoreCounts {
    private final InstantSource clock;
    private final Guard guard;
    private final Counter stored;
    private final Counter revised;
    private final Counter repeated;
    private final Histogram latency;

    // Counts of the current batch.
    private final List<EventFacts> fresh = new ArrayList<>();
    private final List<EventKind<?>> revisions = new ArrayList<>();
    private final List<EventKind<?>> repetitions = new ArrayList<>();
    private int rows;

    private volatile long addedRows;

    /** @param clock gives the time when an event is on the disk */
    StoreCounts(PrometheusRegistry registry, InstantSource clock, Guard guard) {
        this.clock = clock;
        this.guard = guard;
        stored = counter("exit137_events_stored_total", "Events that were stored for the first time.")
                .labelNames("kind", "recovered")
                .register(registry);
        revised = counter("exit137_events_revised_total", "Events whose stored revision was replaced by a higher one.")
                .labelNames("kind")
                .register(registry);
        repeated = counter(
                        "exit137_events_repeated_total", "Events that came again in a revision that had been stored.")
                .labelNames("kind")
                .register(registry);
        latency = Histograms.latency(
                registry,
                "exit137_store_latency_seconds",
                "From a kill or an end until its event was stored, by two machines' clocks.",
                "kind");
        for (EventKind<?> kind : EventKind.ALL) {
            stored.initLabelValues(kind.name(), "false");
            stored.initLabelValues(kind.name(), "true");
            revised.initLabelValues(kind.name());
            repeated.initLabelValues(kind.name());
            latency.initLabelValues(kind.name());
        }
    }

    private static Counter.Builder counter(String name, String help) {
        return Counter.builder().name(name).help(help).withoutExemplars();
    }

    /** Starts a batch; discards the counts of a batch that was not committed. */
    void begin() {
        fresh.clear();
        revisions.clear();
        repetitions.clear();
        rows = 0;
    }

    void onFresh(EventFacts event) {
        fresh.add(event);
        rows++;
    }

    /** @param removedRows 0 if retention has already removed the row of the revision before */
    void onRevised(EventKind<?> kind, int removedRows) {
        revisions.add(kind);
        rows += 1 - removedRows;
    }

    void onRepeated(EventKind<?> kind) {
        repetitions.add(kind);
    }

    /** Applies the counts after the commit; an exception here does not undo the batch. */
    @SuppressWarnings("NonAtomicVolatileUpdate") // the writer's thread alone
    void committed() {
        addedRows += rows;
        guard.run("store", this::count);
    }

    private void count() {
        revisions.forEach(kind -> revised.labelValues(kind.name()).inc());
        repetitions.forEach(kind -> repeated.labelValues(kind.name()).inc());
        for (EventFacts event : fresh) {
            stored.labelValues(event.kind().name(), Boolean.toString(event.recovered()))
                    .inc();
        }
        Instant now = clock.instant();
        for (EventFacts event : fresh) {
            if (!event.recovered() && event.timeNanos() != null) {
                Instant happened = Instant.EPOCH.plusNanos(event.timeNanos());
                latency.labelValues(event.kind().name())
                        .observe(Math.max(0, Duration.between(happened, now).toMillis() / 1000.0));
            }
        }
    }

    /** Rows added since the start, minus the rows replaced; for any thread. */
    long addedRows() {
        return addedRows;
    }
}
