package dev.exit137.aggregator;

import com.google.protobuf.Timestamp;
import dev.exit137.aggregator.access.AccessConfig;
import dev.exit137.aggregator.limits.PeerLimits;
import dev.exit137.aggregator.store.Retention;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.EventIngestGrpc;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEventsGrpc;
import dev.exit137.proto.v1.ListEventsRequest;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomEventsGrpc;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.WatchEventsRequest;
import dev.exit137.proto.v1.WatchEventsResponse;
import io.grpc.Attributes;
import io.grpc.Channel;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder.LocalSocketPicker;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.assertj.core.api.Assertions;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** A real aggregator on a free port of the loopback, and clients of it. Every call has a deadline, so no test hangs. */
final class Fixture implements AutoCloseable {
    private static final long DEADLINE_SECONDS = 30;

    private final Guard guard = new Guard();
    private final Aggregator aggregator;
    private final List<ManagedChannel> channels = new ArrayList<>();
    private final ManagedChannel channel;

    Fixture(Path dataDir) throws IOException {
        this(dataDir, InstantSource.system());
    }

    /** One that asks that clock for the date. */
    Fixture(Path dataDir, InstantSource clock) throws IOException {
        this(dataDir, Retention.DEFAULT, clock);
    }

    /** The same, for those alone who may. */
    Fixture(Path dataDir, AccessConfig access, InstantSource clock) throws IOException {
        this(new AggregatorConfig("127.0.0.1", 0, dataDir, Retention.DEFAULT, PeerLimits.DEFAULT, access), clock);
    }

    Fixture(Path dataDir, Retention retention) throws IOException {
        this(dataDir, retention, InstantSource.system());
    }

    Fixture(Path dataDir, Retention retention, InstantSource clock) throws IOException {
        this(new AggregatorConfig("127.0.0.1", 0, dataDir, retention, PeerLimits.DEFAULT, AccessConfig.OPEN), clock);
    }

    Fixture(Path dataDir, PeerLimits peerLimits) throws IOException {
        this(
                new AggregatorConfig("127.0.0.1", 0, dataDir, Retention.DEFAULT, peerLimits, AccessConfig.OPEN),
                InstantSource.system());
    }

    private Fixture(AggregatorConfig config, InstantSource clock) throws IOException {
        aggregator = Aggregator.start(config, clock, guard);
        channel = newChannel();
    }

    Aggregator aggregator() {
        return aggregator;
    }

    Guard guard() {
        return guard;
    }

    /** A connection of its own, closed with the fixture. */
    ManagedChannel newChannel() {
        return newChannelFrom("127.0.0.1");
    }

    /** The same from a given address of the loopback: another peer. */
    ManagedChannel newChannelFrom(String address) {
        ManagedChannel opened = NettyChannelBuilder.forAddress("127.0.0.1", aggregator.port())
                .localSocketPicker(new LocalSocketPicker() {
                    @Override
                    public SocketAddress createSocketAddress(SocketAddress remote, Attributes attributes) {
                        return new InetSocketAddress(address, 0);
                    }
                })
                .usePlaintext()
                .flowControlWindow(64 << 10)
                .build();
        channels.add(opened);
        return opened;
    }

    OomEventsGrpc.OomEventsBlockingStub consumer() {
        return OomEventsGrpc.newBlockingStub(channel).withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS);
    }

    ExitEventsGrpc.ExitEventsBlockingStub exits() {
        return exits(channel);
    }

    static ExitEventsGrpc.ExitEventsBlockingStub exits(Channel channel) {
        return ExitEventsGrpc.newBlockingStub(channel).withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS);
    }

    /** A connected agent. */
    TestAgent agent() {
        return new TestAgent(EventIngestGrpc.newStub(channel).withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS));
    }

    /** Publishes events and returns when all are acknowledged. */
    void publish(OomKillEvent... events) {
        TestAgent agent = agent();
        for (OomKillEvent event : events) {
            agent.send(event);
        }
        for (int i = 0; i < events.length; i++) {
            agent.nextAck();
        }
        agent.finish();
    }

    /** Publishes ends and returns when all are acknowledged. */
    void publish(ExitEvent... exits) {
        TestAgent agent = agent();
        for (ExitEvent exit : exits) {
            agent.send(exit);
        }
        for (int i = 0; i < exits.length; i++) {
            agent.nextAck();
        }
        agent.finish();
    }

    /** Begins a watch and reads its first heartbeat, so that it is known to be connected. */
    Watch watch(WatchEventsRequest request) {
        Watch watch = new Watch(consumer().watchEvents(request));
        watch.nextHeartbeat();
        return watch;
    }

    /** All ids that a list gives, page by page. */
    List<String> list(ListEventsRequest request) {
        List<String> ids = new ArrayList<>();
        String pageToken = "";
        do {
            var page = consumer()
                    .listEvents(request.toBuilder().setPageToken(pageToken).build());
            page.getEventsList().forEach(event -> ids.add(event.getEventId()));
            pageToken = page.getNextPageToken();
        } while (!pageToken.isEmpty());
        return ids;
    }

    /** An event with what the rules ask for, one second later than the number before. */
    static OomKillEvent event(int number) {
        return event("event-" + number)
                .setTime(Timestamp.newBuilder().setSeconds(1_700_000_000L + number))
                .build();
    }

    static OomKillEvent.Builder event(String id) {
        return OomKillEvent.newBuilder()
                .setEventId(id)
                .setRevision(1)
                .setNode(Node.newBuilder().setName("node-a"));
    }

    /** An end with what the rules ask for. */
    static ExitEvent.Builder exit(String id) {
        return ExitEvent.newBuilder()
                .setEventId(id)
                .setRevision(1)
                .setNode(Node.newBuilder().setName("node-a"));
    }

    static OomKillEvent[] events(int from, int to) {
        return IntStream.range(from, to).mapToObj(Fixture::event).toArray(OomKillEvent[]::new);
    }

    /** Makes it so many bytes larger, or a few less, in texts of which none is too long. */
    static OomKillEvent.Builder filled(OomKillEvent.Builder event, int bytes) {
        int text = 60_000;
        int each = text + 5;
        for (int i = 0; i < bytes / each; i++) {
            event.addRecommendations("x".repeat(text));
        }
        return event.setExplanation("x".repeat(Math.max(0, bytes % each - 5)));
    }

    /** The status with which a call fails. */
    static Status failureOf(ThrowingCallable call) {
        return Assertions.catchThrowableOfType(StatusRuntimeException.class, call)
                .getStatus();
    }

    @Override
    public void close() {
        channels.forEach(ManagedChannel::shutdownNow);
        aggregator.close();
    }

    /** A consumer that takes one message at a time, and no more than it takes. */
    record Watch(Iterator<WatchEventsResponse> messages) {
        WatchEventsResponse next() {
            return messages.next();
        }

        WatchEventsResponse nextHeartbeat() {
            return nextThat(true);
        }

        WatchEventsResponse nextEvent() {
            return nextThat(false);
        }

        String nextId() {
            return nextEvent().getEvent().getEventId();
        }

        List<String> nextIds(int count) {
            return IntStream.range(0, count).mapToObj(i -> nextId()).toList();
        }

        private WatchEventsResponse nextThat(boolean heartbeat) {
            while (true) {
                WatchEventsResponse message = messages.next();
                if (message.hasHeartbeat() == heartbeat) {
                    return message;
                }
            }
        }
    }
}
