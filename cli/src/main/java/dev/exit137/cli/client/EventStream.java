package dev.exit137.cli.client;

import com.google.protobuf.Timestamp;
import dev.exit137.aggregator.query.OomEventsService;
import dev.exit137.cli.terminal.Failure;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.daemon.retry.Backoff;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusException;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Events as the aggregator stores them. If a connection breaks or falls silent, the stream reconnects and continues
 * after the last message. So it misses no event and repeats none. For one thread; the terminal's stop signal may come
 * from any.
 *
 * @param <E> the event
 */
public final class EventStream<E> implements AutoCloseable {
    /** Three missing heartbeats: the other side is gone without closing the connection. */
    private static final Duration SILENCE_LIMIT = Duration.ofSeconds(30);

    private static final Duration MAX_BACKOFF = Duration.ofSeconds(10);

    private final AggregatorClient client;
    private final Terminal terminal;
    private final Backoff backoff;
    private Watch<E> watch;
    /** The wait before the next attempt; zero while connected. */
    private Duration wait = Duration.ZERO;

    private Timestamp lastHeard = Timestamp.getDefaultInstance();
    private Watch.@Nullable Received<E> pending;
    private boolean heard;
    /** Whether it counts in the client's outage. */
    private boolean lost;

    private volatile Watch.@Nullable Open<E> call;

    /**
     * Does not connect yet.
     *
     * @param watch kind of the events, filter and start
     * @param firstBackoff bound of the wait before the first attempt to reconnect; it doubles with each, up to 10 s
     */
    public EventStream(AggregatorClient client, Terminal terminal, Watch<E> watch, Duration firstBackoff) {
        this.client = client;
        this.terminal = terminal;
        this.watch = watch;
        backoff = new Backoff(
                new Backoff.Policy(firstBackoff, MAX_BACKOFF, Duration.ZERO, Backoff.Jitter.EQUAL),
                System::nanoTime,
                new SplittableRandom());
        terminal.stop().onRequest(this::close);
    }

    /**
     * Connects and waits until the aggregator has answered. The stream has every event that is stored from then on.
     *
     * @throws Failure the aggregator cannot be reached, or rejects the request
     */
    public void connect() throws Failure, InterruptedException {
        try {
            open();
            read(SILENCE_LIMIT);
        } catch (StatusException e) {
            if (!terminal.stop().isRequested()) {
                throw client.failure(e.getStatus());
            }
        }
    }

    /**
     * The next event, after as many reconnections as it takes.
     *
     * @return empty after the time, or after the terminal's stop signal
     * @throws Failure the aggregator rejects the stream
     */
    public Optional<E> next(Duration patience) throws Failure, InterruptedException {
        long start = System.nanoTime();
        while (!terminal.stop().isRequested()) {
            if (pending != null && pending.event() != null) {
                return Optional.of(take(pending, pending.event()));
            }
            Duration left = patience.minusNanos(System.nanoTime() - start);
            if (!left.isPositive()) {
                return Optional.empty();
            }
            try {
                if (call == null) {
                    terminal.stop().await(min(wait, left));
                    open();
                }
                read(left);
            } catch (StatusException e) {
                if (!terminal.stop().isRequested()) {
                    disconnect(e);
                }
            } catch (RuntimeException e) {
                // A defect: a caller that goes on after it makes a new call, and not at once.
                drop();
                throw e;
            }
        }
        return Optional.empty();
    }

    /** The token for a later stream that continues after the last event taken; empty before the first message. */
    public String resumeToken() {
        return watch.resumeToken();
    }

    /** Moves the token only now, so that an event that was received and not taken comes again in a later stream. */
    private E take(Watch.Received<E> received, E event) {
        watch = watch.after(received.resumeToken());
        pending = null;
        return event;
    }

    private void open() {
        heard = false;
        call = watch.open(client);
        if (terminal.stop().isRequested()) {
            close();
        }
    }

    /** Takes one message, if one comes in that time. */
    private void read(Duration patience) throws StatusException, InterruptedException {
        Watch.@Nullable Received<E> received;
        try {
            received = Objects.requireNonNull(call)
                    .read(min(patience, SILENCE_LIMIT).toNanos());
        } catch (TimeoutException e) {
            if (patience.compareTo(SILENCE_LIMIT) < 0) {
                return;
            }
            throw Status.UNAVAILABLE
                    .withDescription("silent for " + SILENCE_LIMIT.toSeconds() + " s")
                    .asException();
        }
        if (received == null) {
            throw Status.UNAVAILABLE.withDescription("it ended the stream").asException();
        }
        heard = true;
        backoff.succeeded();
        if (!wait.isZero()) {
            if (!lost || client.outage().end()) {
                terminal.say("connected again");
            }
            lost = false;
            wait = Duration.ZERO;
        }
        lastHeard = received.time();
        if (received.event() != null) {
            pending = received;
        } else {
            watch = watch.after(received.resumeToken());
        }
    }

    private void disconnect(StatusException cause) throws Failure {
        Status status = cause.getStatus();
        drop();
        switch (status.getCode()) {
            case UNAUTHENTICATED -> goOnWithNewProof(status);
            case INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, UNIMPLEMENTED -> throw client.failure(status);
            case OUT_OF_RANGE -> goOnElsewhere(cause.getTrailers());
            default -> {
                if (!lost) {
                    lost = true;
                    if (client.outage().begin()) {
                        terminal.say(client.lost(status) + "; trying again until it is back");
                    }
                }
            }
        }
    }

    private void drop() {
        close();
        call = null;
        wait = Duration.ofNanos(backoff.failed());
    }

    /** Continues with a new certificate or token, if the old one has expired after a good start of the stream. */
    private void goOnWithNewProof(Status status) throws Failure {
        if (!heard) {
            throw client.failure(status);
        }
        terminal.say(client.lost(status) + "; trying again with what the files of this side hold now");
        client.leaveConnection();
    }

    private void goOnElsewhere(@Nullable Metadata trailers) {
        String oldest = trailers == null ? null : trailers.get(OomEventsService.OLDEST_RESUME_TOKEN);
        if (oldest != null) {
            terminal.say(
                    "the aggregator removed events before they were read here (--retention, --max-store-bytes); going on "
                            + "with the oldest that is left");
            watch = watch.after(oldest);
        } else {
            terminal.say(
                    "the aggregator has another store now; going on from the last sign of life, events may come twice");
            watch = watch.from(lastHeard);
        }
    }

    private static Duration min(Duration a, Duration b) {
        return a.compareTo(b) < 0 ? a : b;
    }

    /** Ends the stream on both sides. */
    @Override
    public void close() {
        Watch.Open<E> open = call;
        if (open != null) {
            open.cancel();
        }
    }
}
