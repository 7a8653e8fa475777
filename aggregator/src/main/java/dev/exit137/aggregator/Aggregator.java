package dev.exit137.aggregator;

import dev.exit137.aggregator.store.EventStore;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.http.Check;
import dev.exit137.daemon.http.Heartbeat;
import dev.exit137.daemon.http.Observed;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.io.IOException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Accepts the events of all agents, stores them, and serves them to consumers. Its threads are daemon threads: the main
 * program waits in {@link #awaitTermination()}. All methods may be called from any thread.
 */
public final class Aggregator implements Observed, AutoCloseable {
    /** The network thread does no long work. */
    private static final Duration NETWORK_PATIENCE = Duration.ofMinutes(1);
    /** The store's thread waits for the disk. A restart does not cure a slow or a full disk. */
    private static final Duration STORE_PATIENCE = Duration.ofMinutes(5);

    private static final Logger LOG = LoggerFactory.getLogger(Aggregator.class);

    private final EventStore store;
    private final GrpcServer server;
    private final PrometheusRegistry metrics;
    private final List<Heartbeat> heartbeats;
    private final CountDownLatch closed = new CountDownLatch(1);
    private volatile boolean ending;

    /** The aggregator closes its parts; metrics contains the store's counters. */
    Aggregator(EventStore store, GrpcServer server, PrometheusRegistry metrics, Guard guard) {
        this.store = store;
        this.server = server;
        this.metrics = metrics;
        metrics.register(new AggregatorMetrics(guard, store, server));
        heartbeats = List.of(
                new Heartbeat("exit137-grpc", server.thread(), NETWORK_PATIENCE),
                new Heartbeat("exit137-store", store.writerThread(), STORE_PATIENCE));
    }

    /**
     * Opens the store and listens.
     *
     * @param clock the wall clock
     * @param guard of this process
     * @throws IOException the address cannot be listened on, or the data directory cannot be used; the message is fit for
     *     the user
     */
    public static Aggregator start(AggregatorConfig config, InstantSource clock, Guard guard) throws IOException {
        PrometheusRegistry metrics = new PrometheusRegistry();
        EventStore store = EventStore.open(config.dataDir(), config.retention(), clock, guard, metrics);
        try {
            return new Aggregator(store, GrpcServer.start(config, store, clock, guard), metrics, guard);
        } catch (Throwable e) {
            store.close();
            throw e;
        }
    }

    /** The TCP port that it listens on, also if the configuration requested a free one. */
    public int port() {
        return server.port();
    }

    @Override
    public List<Check> alive() {
        return heartbeats.stream().map(Heartbeat::check).toList();
    }

    /** Whether it serves. If nothing can be stored, it still serves consumers, and the detail reports the failure. */
    @Override
    public List<Check> ready() {
        return List.of(
                ending ? Check.failed("serving", "has ended") : Check.ok("serving"),
                Check.note("store", store.writeFailure().orElse("")));
    }

    @Override
    public MetricSnapshots metrics() {
        return metrics.scrape();
    }

    /** Waits until {@link #close()} is done. */
    public void awaitTermination() throws InterruptedException {
        closed.await();
    }

    /**
     * Stops gracefully: health reports NOT_SERVING, new calls are rejected, received messages are stored and
     * acknowledged, streams end with UNAVAILABLE, the store is closed. Takes some seconds at most. Later calls do
     * nothing.
     */
    @Override
    public synchronized void close() {
        if (ending) {
            return;
        }
        ending = true;
        try (store) {
            server.close();
        } catch (IOException | RuntimeException e) {
            LOG.error("the aggregator did not stop cleanly", e);
        } finally {
            closed.countDown();
        }
    }
}
