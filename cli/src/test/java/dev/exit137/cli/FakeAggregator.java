package dev.exit137.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.aggregator.query.OomEventsService;
import dev.exit137.cli.client.HostPort;
import dev.exit137.proto.v1.GetEventRequest;
import dev.exit137.proto.v1.Heartbeat;
import dev.exit137.proto.v1.ListEventsRequest;
import dev.exit137.proto.v1.ListEventsResponse;
import dev.exit137.proto.v1.ListNodesRequest;
import dev.exit137.proto.v1.ListNodesResponse;
import dev.exit137.proto.v1.NodeState;
import dev.exit137.proto.v1.OomEventsGrpc.OomEventsImplBase;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.SummarizeEventsRequest;
import dev.exit137.proto.v1.SummarizeEventsResponse;
import dev.exit137.proto.v1.WatchEventsRequest;
import dev.exit137.proto.v1.WatchEventsResponse;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** An aggregator on loopback that keeps its events, in memory, when it goes away and comes back on the same port. */
final class FakeAggregator extends OomEventsImplBase implements AutoCloseable {
    private static final int PATIENCE_SECONDS = 60;

    final List<ListEventsRequest> lists = new ArrayList<>();
    final List<NodeState> nodes = new ArrayList<>();
    final Map<String, Long> internalErrors = new HashMap<>();

    /** As many as a message has room for. */
    int nodesPerPage = 1000;

    final List<SummarizeEventsRequest> summaries = new ArrayList<>();
    SummarizeEventsResponse summary = SummarizeEventsResponse.getDefaultInstance();

    /** Whether a watch begins with a heartbeat. */
    volatile boolean greets = true;

    /** Its ends. */
    final FakeExits exits = new FakeExits();

    private final boolean knowsExits;
    private final BlockingQueue<WatchEventsRequest> watches = new LinkedBlockingQueue<>();
    private final List<OomKillEvent> events = new ArrayList<>();
    private final List<StreamObserver<WatchEventsResponse>> watchers = new ArrayList<>();
    private Optional<Status> refusal = Optional.empty();
    private String storeName = "store1";
    private int removed;
    private Server server;
    private int port;

    FakeAggregator() {
        this(true);
    }

    /** @param knowsExits whether it is of a version with the service ExitEvents */
    FakeAggregator(boolean knowsExits) {
        this.knowsExits = knowsExits;
        start();
    }

    String address() {
        return new HostPort("127.0.0.1", port).toString();
    }

    void start() {
        try {
            NettyServerBuilder builder = NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", port))
                    .directExecutor()
                    .addService(this);
            if (knowsExits) {
                builder.addService(exits);
            }
            server = builder.build().start();
            port = server.getPort();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    void stop() {
        try {
            assertThat(server.shutdownNow().awaitTermination(PATIENCE_SECONDS, TimeUnit.SECONDS))
                    .isTrue();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
        synchronized (this) {
            watchers.clear();
        }
        exits.forgetWatchers();
    }

    /** What the next watch asked for, waited for. */
    WatchEventsRequest nextWatch() throws InterruptedException {
        WatchEventsRequest request = watches.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
        assertThat(request).as("a watch").isNotNull();
        return request;
    }

    synchronized void store(OomKillEvent event) {
        events.add(event);
        watchers.forEach(watcher -> watcher.onNext(message(events.size())));
    }

    /** Ends what was being watched, and refuses whoever comes then, if it is said so. */
    synchronized void end(Status status, boolean forGood) {
        refusal = forGood ? Optional.of(status) : Optional.empty();
        watchers.forEach(watcher -> watcher.onError(status.asException()));
        watchers.clear();
    }

    synchronized void forgetEverything() {
        events.clear();
        storeName = "store2";
    }

    /** Retention removes the first events. */
    synchronized void remove(int count) {
        removed = count;
    }

    @Override
    public synchronized void watchEvents(WatchEventsRequest request, StreamObserver<WatchEventsResponse> watcher) {
        watches.add(request);
        if (refusal.isPresent()) {
            watcher.onError(refusal.get().asException());
            return;
        }
        int next = events.size() + 1;
        if (request.hasResumeToken()) {
            String[] token = request.getResumeToken().split("/");
            if (token.length != 2) {
                watcher.onError(Status.INVALID_ARGUMENT
                        .withDescription("resume_token is malformed")
                        .asException());
                return;
            }
            if (!token[0].equals(storeName)) {
                watcher.onError(Status.OUT_OF_RANGE
                        .withDescription("resume_token is of another store")
                        .asException());
                return;
            }
            next = Integer.parseInt(token[1]) + 1;
            if (next <= removed) {
                Metadata trailers = new Metadata();
                trailers.put(OomEventsService.OLDEST_RESUME_TOKEN, storeName + "/" + removed);
                watcher.onError(Status.OUT_OF_RANGE
                        .withDescription("resume_token is too old")
                        .asException(trailers));
                return;
            }
        } else if (request.hasFromTime()) {
            next = 1;
        }
        if (greets) {
            watcher.onNext(WatchEventsResponse.newBuilder()
                    .setHeartbeat(Heartbeat.newBuilder().setTime(Events.TIME))
                    .setResumeToken(storeName + "/" + (next - 1))
                    .build());
        }
        for (int i = next; i <= events.size(); i++) {
            watcher.onNext(message(i));
        }
        watchers.add(watcher);
    }

    private WatchEventsResponse message(int ordinal) {
        return WatchEventsResponse.newBuilder()
                .setEvent(events.get(ordinal - 1))
                .setResumeToken(storeName + "/" + ordinal)
                .build();
    }

    @Override
    public synchronized void listEvents(ListEventsRequest request, StreamObserver<ListEventsResponse> answer) {
        lists.add(request);
        int from = request.getPageToken().isEmpty() ? 0 : Integer.parseInt(request.getPageToken());
        int to = Math.min(from + request.getPageSize(), events.size());
        answer.onNext(ListEventsResponse.newBuilder()
                .addAllEvents(events.reversed().subList(from, to))
                .setNextPageToken(to < events.size() ? Integer.toString(to) : "")
                .build());
        answer.onCompleted();
    }

    @Override
    public synchronized void getEvent(GetEventRequest request, StreamObserver<OomKillEvent> answer) {
        events.stream()
                .filter(event -> event.getEventId().equals(request.getEventId()))
                .findFirst()
                .ifPresentOrElse(
                        event -> {
                            answer.onNext(event);
                            answer.onCompleted();
                        },
                        () -> answer.onError(Status.NOT_FOUND
                                .withDescription("no event has this id")
                                .asException()));
    }

    @Override
    public void summarizeEvents(SummarizeEventsRequest request, StreamObserver<SummarizeEventsResponse> answer) {
        summaries.add(request);
        answer.onNext(summary);
        answer.onCompleted();
    }

    @Override
    public void listNodes(ListNodesRequest request, StreamObserver<ListNodesResponse> answer) {
        int from = request.getPageToken().isEmpty() ? 0 : Integer.parseInt(request.getPageToken());
        int to = Math.min(from + nodesPerPage, nodes.size());
        answer.onNext(ListNodesResponse.newBuilder()
                .addAllNodes(nodes.subList(from, to))
                .setNextPageToken(to < nodes.size() ? Integer.toString(to) : "")
                .putAllInternalErrors(internalErrors)
                .build());
        answer.onCompleted();
    }

    @Override
    public void close() {
        stop();
    }
}
