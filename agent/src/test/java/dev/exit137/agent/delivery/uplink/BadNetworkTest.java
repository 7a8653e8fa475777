package dev.exit137.agent.delivery.uplink;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.agent.Await;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.retry.Backoff;
import dev.exit137.daemon.tls.ClientSecurity;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.EventAck;
import dev.exit137.proto.v1.EventIngestGrpc;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.PublishEventsRequest;
import dev.exit137.proto.v1.PublishEventsResponse;
import io.grpc.InternalChannelz;
import io.grpc.InternalInstrumented;
import io.grpc.NameResolver;
import io.grpc.NameResolverProvider;
import io.grpc.NameResolverRegistry;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The uplink gets every event through whatever the network and the aggregators do. */
class BadNetworkTest {
    private static final Duration PATIENCE = Duration.ofMillis(500);
    private static final Backoff.Policy RECONNECT = new Backoff.Policy(
            Duration.ofMillis(1), Duration.ofMillis(50), Duration.ofSeconds(10), Backoff.Jitter.FULL);

    /** With a stack trace for every connection that breaks; held here, since java.util.logging forgets otherwise. */
    private static final Logger GRPC_LOG = Logger.getLogger("io.grpc");

    private final ScheduledExecutorService worker = Executors.newSingleThreadScheduledExecutor();
    private final List<AutoCloseable> toClose = new ArrayList<>();
    private final Events events = new Events();
    private final Guard guard = new Guard();
    private Aggregator aggregator;
    private Proxy proxy;
    private Uplink uplink;

    @BeforeEach
    void connect() throws Exception {
        GRPC_LOG.setLevel(Level.OFF);
        aggregator = new Aggregator();
        proxy = new Proxy(aggregator.port());
        toClose.add(proxy);
    }

    @AfterEach
    void close() throws Exception {
        worker.submit(uplink::close).get();
        uplink.awaitClosed(1);
        worker.shutdown();
        for (AutoCloseable each : toClose.reversed()) {
            each.close();
        }
    }

    private void start(String... addresses) {
        uplink = new Uplink(
                List.of(addresses),
                ClientSecurity.PLAINTEXT,
                worker,
                events,
                PATIENCE,
                new Backoff(RECONNECT, System::nanoTime, new SplittableRandom()),
                InstantSource.system(),
                guard);
        worker.execute(uplink::connect);
    }

    private void publish(int count, int bytes) {
        worker.execute(() -> {
            for (int i = 0; i < count; i++) {
                events.add("event " + events.known.size(), bytes);
            }
            uplink.pump();
        });
    }

    private void awaitAllAcknowledged(int count) {
        Await.until("all acknowledged", events.acknowledged::get, acknowledged -> acknowledged == count);
        assertThat(aggregator.stored).hasSize(count);
    }

    @Test
    void aConnectionThatBreaksAgainAndAgainLosesNothing() {
        start(proxy.address());
        for (int round = 1; round <= 10; round++) {
            publish(20, 1000);
            int some = 20 * round - 15;
            Await.until("some stored", aggregator.stored::size, stored -> stored >= some);
            proxy.drop();
        }
        awaitAllAcknowledged(200);
    }

    @Test
    void aNetworkThatPassesByteByByteIsSlowAndNothingElse() {
        proxy.set(Proxy.Mood.BYTEWISE);
        start(proxy.address());
        publish(50, 100);
        awaitAllAcknowledged(50);
    }

    @Test
    void anAddressThatTakesConnectionsAndSaysNothingIsGivenUp() {
        Proxy blackHole = new Proxy(aggregator.port());
        toClose.add(blackHole);
        blackHole.set(Proxy.Mood.STALL);
        start(blackHole.address(), proxy.address());
        publish(5, 100);
        awaitAllAcknowledged(5);
    }

    @Test
    void aNetworkThatStallsInTheMiddleIsGivenUpForTheNextAddress() {
        Proxy other = new Proxy(aggregator.port());
        toClose.add(other);
        start(proxy.address(), other.address());
        publish(5, 100);
        awaitAllAcknowledged(5);
        proxy.set(Proxy.Mood.STALL);
        publish(5, 100);
        awaitAllAcknowledged(10);
    }

    @Test
    void anAggregatorThatTakesEventsAndNeverAcknowledgesIsGivenUpForTheNextAddress() throws Exception {
        Aggregator silent = new Aggregator();
        silent.acknowledges = false;
        start("localhost:" + silent.port(), proxy.address());
        publish(5, 100);
        awaitAllAcknowledged(5);
        assertThat(silent.stored).hasSize(5);
    }

    @Test
    void addressesWithNothingBehindThemAreTriedInTurn() {
        start("localhost:1", "no-such-host.invalid:9137", proxy.address());
        publish(5, 100);
        awaitAllAcknowledged(5);
    }

    @Test
    void howeverOftenTheConnectionBreaksItIsMadeOnOneChannel() {
        start(proxy.address());
        Set<Long> channels = new LinkedHashSet<>();
        for (int round = 1; round <= 10; round++) {
            publish(1, 100);
            awaitAllAcknowledged(round);
            channels.addAll(channelsTo(proxy.address()));
            proxy.drop();
        }
        assertThat(channels).hasSize(1);
    }

    /** Ids of all channels of this process to an address. */
    private static Set<Long> channelsTo(String address) {
        return InternalChannelz.instance().getRootChannels(0, Integer.MAX_VALUE).channels.stream()
                .filter(channel -> targetOf(channel).endsWith("/" + address))
                .map(channel -> channel.getLogId().getId())
                .collect(Collectors.toSet());
    }

    private static String targetOf(InternalInstrumented<InternalChannelz.ChannelStats> channel) {
        try {
            return channel.getStats().get(Await.PATIENCE.toSeconds(), TimeUnit.SECONDS).target;
        } catch (InterruptedException | ExecutionException | TimeoutException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void anAggregatorWhoseNameLeadsToAnotherMachineNowIsFoundThere() throws Exception {
        TestNames.set("aggregator.test", InetAddress.getByName("127.0.0.1"));
        start("aggregator.test:" + aggregator.port());
        publish(5, 100);
        awaitAllAcknowledged(5);
        Aggregator moved = new Aggregator(new InetSocketAddress(InetAddress.getByName("127.0.0.2"), aggregator.port()));
        TestNames.set("aggregator.test", InetAddress.getByName("127.0.0.2"));
        aggregator.close();
        publish(5, 100);
        Await.until("all acknowledged", events.acknowledged::get, acknowledged -> acknowledged == 10);
        assertThat(moved.stored).hasSize(5);
    }

    /** An exception within gRPC leaves a channel on which every call fails. */
    @Test
    void aChannelThatGrpcHasGivenUpIsReplaced() {
        BrokenNameResolver broken = new BrokenNameResolver();
        NameResolverRegistry.getDefaultRegistry().register(broken);
        try {
            start(proxy.address());
            Await.until("an attempt", broken.attempts::get, attempts -> attempts > 0);
        } finally {
            NameResolverRegistry.getDefaultRegistry().deregister(broken);
        }
        publish(5, 100);
        awaitAllAcknowledged(5);
    }

    /** In place of DNS. */
    private static final class BrokenNameResolver extends NameResolverProvider {
        private final AtomicInteger attempts = new AtomicInteger();

        @Override
        protected boolean isAvailable() {
            return true;
        }

        @Override
        protected int priority() {
            return 10;
        }

        @Override
        public String getDefaultScheme() {
            return "dns";
        }

        @Override
        public NameResolver newNameResolver(URI target, NameResolver.Args arguments) {
            return new NameResolver() {
                @Override
                public String getServiceAuthority() {
                    return "localhost";
                }

                @Override
                public void start(Listener2 listener) {
                    attempts.incrementAndGet();
                    throw new IllegalStateException("no names today");
                }

                @Override
                public void shutdown() {
                    // Nothing is open.
                }
            };
        }
    }

    @Test
    void aRefusalThatItsSourceCannotHandleIsCountedAndTheStreamIsOpenedAgain() {
        events.failures.put("onRefused", 1);
        aggregator.refuses = "event 1";
        start(proxy.address());
        publish(3, 100);
        Await.until("the failure", guard::counts, counts -> counts.containsKey("uplink"));
        aggregator.refuses = "";
        awaitAllAcknowledged(3);
    }

    @Test
    void acknowledgementsThatAreHandledByHalfComeAgainOnTheNextStream() {
        events.failures.put("onAcknowledged", 2);
        start(proxy.address());
        publish(3, 100);
        awaitAllAcknowledged(3);
        assertThat(guard.counts()).containsEntry("uplink", 2L);
    }

    @Test
    void anEventThatIsTakenForSendingAndNotSentIsSentOnTheNextStream() {
        events.failures.put("pollUnsent", 2);
        start(proxy.address());
        publish(3, 100);
        awaitAllAcknowledged(3);
        assertThat(guard.counts()).containsEntry("uplink", 2L);
    }

    @Test
    void aStreamAtWhoseBeginningTheSourceFailsIsFollowedByAnother() {
        events.failures.put("onConnected", 1);
        events.failures.put("status", 1);
        start(proxy.address());
        publish(3, 100);
        awaitAllAcknowledged(3);
        assertThat(guard.counts()).containsEntry("uplink", 2L);
    }

    @Test
    void whyAnEventIsRefusedIsToldToItsSource() {
        aggregator.refuses = "event 1";
        start(proxy.address());
        publish(3, 100);
        Await.until("a refusal", events.refusals::get, count -> count > 0);
    }

    /** What a test publishes; on the worker's thread, but for the counts. */
    private static final class Events implements Uplink.Source {
        private final AtomicInteger acknowledged = new AtomicInteger();
        private final AtomicInteger refusals = new AtomicInteger();
        private final Map<String, OomKillEvent> known = new LinkedHashMap<>();
        private final ArrayDeque<String> unsent = new ArrayDeque<>();
        private final Set<String> open = new LinkedHashSet<>();
        /** How often each callback is still to throw, after it has done its work by half. */
        private final Map<String, Integer> failures = new ConcurrentHashMap<>();

        private int inFlight;

        private void failIfAsked(String callback) {
            if (failures.merge(callback, -1, Integer::sum) >= 0) {
                throw new IllegalStateException(callback + " fails");
            }
        }

        void add(String id, int bytes) {
            OomKillEvent event = OomKillEvent.newBuilder()
                    .setEventId(id)
                    .setRevision(1)
                    .setUnit("x".repeat(bytes))
                    .build();
            known.put(id, event);
            open.add(id);
            unsent.add(id);
        }

        @Override
        public void onConnected() {
            inFlight = 0;
            failIfAsked("onConnected");
            unsent.clear();
            unsent.addAll(open);
        }

        @Override
        public PublishEventsRequest pollUnsent() {
            String next = unsent.pollFirst();
            inFlight += next == null ? 0 : 1;
            if (next != null) {
                failIfAsked("pollUnsent");
            }
            return next == null
                    ? null
                    : PublishEventsRequest.newBuilder()
                            .setEvent(known.get(next))
                            .build();
        }

        @Override
        public int inFlight() {
            return inFlight;
        }

        @Override
        public AgentStatus status() {
            failIfAsked("status");
            return AgentStatus.getDefaultInstance();
        }

        @Override
        public void onAcknowledged(List<EventAck> acks) {
            for (EventAck ack : acks) {
                inFlight--;
                failIfAsked("onAcknowledged");
                open.remove(ack.getEventId());
            }
            acknowledged.set(known.size() - open.size());
        }

        @Override
        public void onRefused(Status reason) {
            failIfAsked("onRefused");
            refusals.incrementAndGet();
        }
    }

    /** Stores and acknowledges, unless it is told otherwise. */
    private final class Aggregator extends EventIngestGrpc.EventIngestImplBase implements AutoCloseable {
        private final Set<String> stored = ConcurrentHashMap.newKeySet();
        private final Server server;
        private volatile boolean acknowledges = true;
        private volatile String refuses = "";

        Aggregator() throws Exception {
            this(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        }

        Aggregator(InetSocketAddress address) throws Exception {
            server = NettyServerBuilder.forAddress(address)
                    .permitKeepAliveTime(5, TimeUnit.SECONDS)
                    .addService(this)
                    .build()
                    .start();
            toClose.add(this);
        }

        int port() {
            return server.getPort();
        }

        @Override
        public StreamObserver<PublishEventsRequest> publishEvents(StreamObserver<PublishEventsResponse> responses) {
            return new StreamObserver<>() {
                @Override
                public void onNext(PublishEventsRequest message) {
                    if (!message.hasEvent()) {
                        return;
                    }
                    String id = message.getEvent().getEventId();
                    if (id.equals(refuses)) {
                        responses.onError(Status.INVALID_ARGUMENT.asRuntimeException());
                        return;
                    }
                    stored.add(id);
                    if (acknowledges) {
                        responses.onNext(PublishEventsResponse.newBuilder()
                                .addAcks(EventAck.newBuilder().setEventId(id).setRevision(1))
                                .build());
                    }
                }

                @Override
                public void onError(Throwable failure) {}

                @Override
                public void onCompleted() {
                    responses.onCompleted();
                }
            };
        }

        @Override
        public void close() throws Exception {
            server.shutdownNow().awaitTermination();
        }
    }
}
