package dev.exit137.aggregator.access;

import com.nimbusds.jose.util.ResourceRetriever;
import dev.exit137.daemon.guard.Guard;
import java.io.IOException;
import java.net.URL;
import java.text.ParseException;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The keys of a cluster, from a URL. The thread exit137-keys fetches them ahead of use; the last keys stay in use while
 * the URL fails. Nimbus's own sources fetch on the thread that has a token with an unknown key, and any client can send
 * such a token; here the call waits, and no thread does. Safe for all threads.
 */
final class FetchedKeys implements TokenKeys.Source {
    private static final Logger LOG = LoggerFactory.getLogger(FetchedKeys.class);

    // A key that the cluster withdraws is still accepted for this time, while the URL answers.
    private static final long MAX_AGE_SECONDS = 300;

    // The interval between two fetches, however many tokens have unknown keys.
    private static final Duration MIN_INTERVAL = Duration.ofSeconds(1);

    private static final String STOPPING = "the aggregator is stopping";

    private final URL url;
    private final ResourceRetriever retriever;
    private final Guard guard;
    private final long minIntervalNanos;
    private final ScheduledExecutorService thread = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("exit137-keys").daemon().factory());
    private volatile TokenKeys atHand = TokenKeys.NONE;

    // Used by the thread only.
    private @Nullable String loggedFailure;

    // Guarded by this.
    private @Nullable CompletableFuture<TokenKeys> fetching;
    private long fetchedNanoTime;

    FetchedKeys(URL url, ResourceRetriever retriever, Guard guard) {
        this(url, retriever, guard, MIN_INTERVAL);
    }

    FetchedKeys(URL url, ResourceRetriever retriever, Guard guard, Duration minInterval) {
        this.url = url;
        this.retriever = retriever;
        this.guard = guard;
        minIntervalNanos = minInterval.toNanos();
        fetchedNanoTime = System.nanoTime() - minIntervalNanos;
        thread.scheduleWithFixedDelay(guard.guarded("keys", this::newest), 0, MAX_AGE_SECONDS, TimeUnit.SECONDS);
    }

    @Override
    public TokenKeys atHand() {
        return atHand;
    }

    /** Returns the keys of the running fetch, or starts a new fetch. */
    @Override
    public synchronized CompletableFuture<TokenKeys> newest() {
        if (thread.isShutdown()) {
            return CompletableFuture.completedFuture(failed(STOPPING));
        }
        if (fetching == null) {
            long wait = Math.max(0, fetchedNanoTime + minIntervalNanos - System.nanoTime());
            thread.schedule(this::fetch, wait, TimeUnit.NANOSECONDS);
            fetching = new CompletableFuture<>();
        }
        return fetching;
    }

    private void fetch() {
        TokenKeys fetched = retrieve();
        log(fetched.failure());
        if (fetched.failure() == null) {
            atHand = fetched;
        }
        @Nullable CompletableFuture<TokenKeys> waiting;
        synchronized (this) {
            waiting = fetching;
            fetching = null;
            fetchedNanoTime = System.nanoTime();
        }
        if (waiting != null) {
            waiting.complete(fetched);
        }
    }

    private TokenKeys retrieve() {
        try {
            return TokenKeys.parse(retriever.retrieveResource(url).getContent());
        } catch (IOException | ParseException e) {
            return failed(Objects.requireNonNullElse(e.getMessage(), e.toString()));
        } catch (Throwable e) {
            guard.caught("keys", e);
            return failed("the aggregator's log says why");
        }
    }

    private void log(@Nullable String failure) {
        if (failure != null && !failure.equals(loggedFailure)) {
            LOG.warn(
                    "the keys that check tokens cannot be fetched from {}: {}; those from before stay in use",
                    url,
                    failure);
        } else if (failure == null && loggedFailure != null) {
            LOG.info("the keys that check tokens are fetched from {} again", url);
        }
        loggedFailure = failure;
    }

    private TokenKeys failed(String why) {
        return new TokenKeys(atHand.set(), why);
    }

    /** Stops fetching; the calls that wait for keys are answered. */
    @Override
    public void close() {
        @Nullable CompletableFuture<TokenKeys> waiting;
        synchronized (this) {
            thread.shutdown();
            waiting = fetching;
        }
        if (waiting != null) {
            waiting.complete(failed(STOPPING));
        }
        thread.shutdownNow();
    }
}
