package dev.exit137.agent.delivery.uplink;

import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.retry.Backoff;
import dev.exit137.daemon.tls.ClientSecurity;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.EventAck;
import dev.exit137.proto.v1.EventIngestGrpc;
import dev.exit137.proto.v1.PublishEventsRequest;
import dev.exit137.proto.v1.PublishEventsResponse;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.nio.NioIoHandler;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioSocketChannel;
import io.grpc.netty.shaded.io.netty.util.concurrent.DefaultThreadFactory;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The stream to an aggregator. There is at most one; after a failure the next one opens at the next address, with
 * backoff and jitter. All methods and callbacks run on the agent-worker thread; the bytes move on the agent-grpc
 * thread. A callback that throws ends its stream, since it may have done half of its work: the next stream sends all
 * unacknowledged events.
 */
public final class Uplink implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Uplink.class);
    private static final String PLACE = "uplink";
    /** The aggregator takes pings that are 5 s apart or more. */
    private static final long KEEPALIVE_SECONDS = 10;
    /** The status codes with which an aggregator ends a stream because of a message on it. */
    private static final Set<Status.Code> REFUSALS =
            Set.of(Status.Code.INVALID_ARGUMENT, Status.Code.PERMISSION_DENIED, Status.Code.RESOURCE_EXHAUSTED);
    /** Limit for the patience, which doubles after each stream without progress. */
    private static final int MAX_PATIENCE_FACTOR = 16;

    /** The source of the events; called on the agent-worker thread. */
    public interface Source {
        /** A stream is open: every unacknowledged event is to be sent on it. */
        void onConnected();

        /** Returns the next event for this stream; null if there is none, or enough are in flight. */
        @Nullable
        PublishEventsRequest pollUnsent();

        /** Returns the number of events sent on this stream and not acknowledged. */
        int inFlight();

        /** Returns the agent's status; null if none is to be sent now. */
        @Nullable
        AgentStatus status();

        /** The events are durable at the aggregator. */
        void onAcknowledged(List<EventAck> acks);

        /** The stream has ended because of a message on it. */
        void onRefused(Status reason);
    }

    private final List<String> aggregators;
    private final ClientSecurity security;
    private final ScheduledExecutorService worker;
    private final Source source;
    private final Duration patience;
    private final Backoff backoff;
    private final InstantSource clock;
    private final Guard guard;
    private final EventLoopGroup grpcThread =
            new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("agent-grpc", true), NioIoHandler.newFactory());
    private final AggregatorChannels channels = new AggregatorChannels(this::open);
    private final CountDownLatch lastStreamEnded = new CountDownLatch(1);

    private int next;
    private int patienceFactor = 1;
    private @Nullable Responses stream;
    private long progressNanos;
    private boolean statusDue;
    private @Nullable Status failureSaid;
    private @Nullable Instant awaySince;
    private boolean closed;

    /**
     * @param worker single-threaded; runs this object's callbacks
     * @param patience for a connection, and for an acknowledgement while events are in flight; doubled after each failure
     * @param backoff between streams; it starts anew when an event is acknowledged
     * @param clock the node's wall clock
     * @param guard of this process
     */
    public Uplink(
            List<String> aggregators,
            ClientSecurity security,
            ScheduledExecutorService worker,
            Source source,
            Duration patience,
            Backoff backoff,
            InstantSource clock,
            Guard guard) {
        this.aggregators = aggregators;
        this.security = security;
        this.worker = worker;
        this.source = source;
        this.patience = patience;
        this.backoff = backoff;
        this.clock = clock;
        this.guard = guard;
        awaySince = clock.instant();
    }

    private ManagedChannel open(String address) {
        return security.channelTo(address)
                .eventLoopGroup(grpcThread)
                .channelType(NioSocketChannel.class)
                .executor(worker)
                .keepAliveTime(KEEPALIVE_SECONDS, TimeUnit.SECONDS)
                .keepAliveTimeout(KEEPALIVE_SECONDS, TimeUnit.SECONDS)
                .build();
    }

    /** Opens the stream to the next address, with a new look-up of its name. */
    public void connect() {
        if (closed) {
            return;
        }
        Responses responses = new Responses(aggregators.get(next++ % aggregators.size()));
        if (!guard.run(PLACE, responses::open)) {
            responses.ended(Status.UNAVAILABLE.withDescription("no stream can be opened"));
        }
    }

    /** Sends all pending events, as far as the stream takes them. */
    public void pump() {
        if (stream != null) {
            stream.guarded(stream::pump);
        }
    }

    /** Returns the time since which there is no stream; empty while there is one. */
    public Optional<Instant> awaySince() {
        return Optional.ofNullable(awaySince);
    }

    /** Sends the agent's status, if there is a stream. */
    public void sendStatus() {
        if (stream != null) {
            stream.guarded(stream::sendStatus);
        }
    }

    private final class Responses implements ClientResponseObserver<PublishEventsRequest, PublishEventsResponse> {
        private final String address;
        // gRPC calls beforeStart before any other method needs the call.
        @SuppressWarnings("NullAway.Init")
        private ClientCallStreamObserver<PublishEventsRequest> call;

        private boolean connected;
        private boolean ended;

        Responses(String address) {
            this.address = address;
        }

        void open() {
            progressNanos = System.nanoTime();
            try {
                EventIngestGrpc.newStub(channels.reconnect(address)).publishEvents(this);
                watch();
            } catch (IllegalArgumentException e) {
                ended(Status.UNAVAILABLE.withDescription("no address: " + e.getMessage()));
            }
        }

        @Override
        public void beforeStart(ClientCallStreamObserver<PublishEventsRequest> call) {
            this.call = call;
            call.setOnReadyHandler(() -> guarded(this::ready));
        }

        @Override
        public void onNext(PublishEventsResponse response) {
            guarded(() -> taken(response));
        }

        @Override
        public void onError(Throwable failure) {
            ended(Status.fromThrowable(failure));
        }

        @Override
        public void onCompleted() {
            ended(Status.UNAVAILABLE.withDescription("the aggregator ended the stream"));
        }

        void guarded(Runnable task) {
            if (!ended && !guard.run(PLACE, task)) {
                call.cancel("the agent failed on this stream", null);
            }
        }

        private void ready() {
            if (closed) {
                return;
            }
            if (!connected) {
                connected = true;
                stream = this;
                awaySince = null;
                source.onConnected();
                statusDue = true;
            }
            if (statusDue) {
                sendStatus();
            }
            pump();
        }

        private void taken(PublishEventsResponse response) {
            if (failureSaid != null) {
                LOG.info("aggregator {} takes events", address);
            }
            failureSaid = null;
            backoff.succeeded();
            patienceFactor = 1;
            progressNanos = System.nanoTime();
            source.onAcknowledged(response.getAcksList());
            pump();
        }

        private void pump() {
            while (stream == this && call.isReady()) {
                boolean idle = source.inFlight() == 0;
                PublishEventsRequest message = source.pollUnsent();
                if (message == null) {
                    return;
                }
                if (idle) {
                    progressNanos = System.nanoTime();
                }
                call.onNext(message);
            }
        }

        private void sendStatus() {
            AgentStatus status = source.status();
            if (stream != this || status == null) {
                return;
            }
            statusDue = !call.isReady();
            if (!statusDue) {
                call.onNext(PublishEventsRequest.newBuilder().setStatus(status).build());
            }
        }

        private void watch() {
            guarded(this::giveUpOrWatchOn);
        }

        /** Gives up a stream without progress: a machine may answer pings while its disk does not. */
        private void giveUpOrWatchOn() {
            if (closed) {
                return;
            }
            long patienceNanos = patience.toNanos() * patienceFactor;
            long left = progressNanos + patienceNanos - System.nanoTime();
            if (connected && source.inFlight() == 0) {
                left = patienceNanos;
            } else if (left <= 0) {
                patienceFactor = Math.min(MAX_PATIENCE_FACTOR, patienceFactor * 2);
                String what = connected ? "no event was acknowledged for " : "no connection within ";
                call.cancel(what + TimeUnit.NANOSECONDS.toSeconds(patienceNanos) + " s", null);
                return;
            }
            worker.schedule(this::watch, left, TimeUnit.NANOSECONDS);
        }

        private void ended(Status status) {
            if (ended) {
                return;
            }
            ended = true;
            stream = null;
            if (closed) {
                lastStreamEnded.countDown();
                return;
            }
            worker.schedule(Uplink.this::connect, backoff.failed(), TimeUnit.NANOSECONDS);
            guard.run(PLACE, () -> failed(status));
            if (connected && REFUSALS.contains(status.getCode())) {
                guard.run(PLACE, () -> source.onRefused(status));
            }
        }

        private void failed(Status status) {
            if (!connected && status.getCode() == Status.Code.INTERNAL) {
                channels.discard(address);
            }
            say(status);
            awaySince = awaySince == null ? clock.instant() : awaySince;
        }

        /** Logs a failure once for each kind of failure in a row. */
        private void say(Status status) {
            if (failureSaid == null || failureSaid.getCode() != status.getCode()) {
                failureSaid = status;
                LOG.warn(
                        "no aggregator at {} takes events: {} {}; they are kept and sent when one does",
                        address,
                        status.getCode(),
                        security.reason(status));
            }
        }
    }

    /** Ends the stream; the aggregator still acknowledges the events that were sent. */
    @Override
    public void close() {
        closed = true;
        if (stream == null) {
            lastStreamEnded.countDown();
        } else {
            stream.call.onCompleted();
            stream = null;
        }
    }

    /** Waits until the stream has ended; no callback comes after that. Any thread except the worker's. */
    public void awaitClosed(long seconds) throws InterruptedException {
        try {
            lastStreamEnded.await(seconds, TimeUnit.SECONDS);
            channels.close(seconds);
        } finally {
            grpcThread.shutdownGracefully(0, 1, TimeUnit.SECONDS);
        }
    }
}
