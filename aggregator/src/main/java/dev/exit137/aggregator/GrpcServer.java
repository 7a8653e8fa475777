package dev.exit137.aggregator;

import dev.exit137.aggregator.access.AccessConfig;
import dev.exit137.aggregator.access.AccessControl;
import dev.exit137.aggregator.ingest.ConnectedNodes;
import dev.exit137.aggregator.ingest.IngestService;
import dev.exit137.aggregator.limits.Peers;
import dev.exit137.aggregator.query.ExitEventsService;
import dev.exit137.aggregator.query.OomEventsService;
import dev.exit137.aggregator.query.ResumeTokenHeader;
import dev.exit137.aggregator.query.Watches;
import dev.exit137.aggregator.server.GuardedCalls;
import dev.exit137.aggregator.server.MalformedMessages;
import dev.exit137.aggregator.server.Refusals;
import dev.exit137.aggregator.store.EventStore;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.tls.Tls;
import dev.exit137.daemon.tls.UnusableFileException;
import dev.exit137.proto.v1.EventIngestGrpc;
import dev.exit137.proto.v1.ExitEventsGrpc;
import dev.exit137.proto.v1.OomEventsGrpc;
import io.grpc.BindableService;
import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallExecutorSupplier;
import io.grpc.ServerCredentials;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.ServerChannel;
import io.grpc.netty.shaded.io.netty.channel.epoll.Epoll;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoHandler;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollServerSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.nio.NioIoHandler;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioServerSocketChannel;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionService;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.InstantSource;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * The gRPC server: the services, health and reflection, and their few threads. exit137-grpc runs the network and
 * the timer of the heartbeats, exit137-ingest accepts messages of agents and may wait for the disk, exit137-summary
 * runs summaries, exit137-consume answers all other calls. exit137-keys fetches the keys for tokens, if they come from
 * a URL.
 */
public final class GrpcServer implements AutoCloseable {
    /**
     * Largest accepted message, bytes: gRPC's default of 4 MiB, minus the room for a token beside it. So a consumer with
     * gRPC's default limit can receive every event that can be stored.
     */
    public static final int MAX_MESSAGE_BYTES = (4 << 20) - 1024;

    private static final int CONSUMER_THREADS = 2;
    private static final Set<String> SUMMARIES = Set.of(
            OomEventsGrpc.getSummarizeEventsMethod().getFullMethodName(),
            ExitEventsGrpc.getSummarizeExitsMethod().getFullMethodName());

    // Buffer of a stream that its client does not read, bytes.
    private static final int FLOW_CONTROL_WINDOW = 256 << 10;

    // Agents ping every 10 s. gRPC counts a ping that comes early as abuse, so the limit leaves room for jitter.
    private static final long PERMIT_KEEP_ALIVE_SECONDS = 5;

    // Bounds of one connection, for every client: concurrent calls, idle time, cancelled calls.
    private static final int MAX_CALLS_PER_CONNECTION = 1000;
    private static final long MAX_CONNECTION_IDLE_MINUTES = 15;
    private static final int MAX_RST_FRAMES = 1000;
    private static final int RST_FRAMES_SECONDS = 30;

    // A stream outlives its caller's certificate or token by at most this time.
    private static final long PROOF_CHECK_SECONDS = 1;

    private static final long STOP_SECONDS = 5;

    private final HealthStatusManager health = new HealthStatusManager();
    private final EventLoopGroup eventLoop;
    private final ThreadPoolExecutor ingestThread = executor("exit137-ingest", 1);
    private final ThreadPoolExecutor summaryThread = executor("exit137-summary", 1);
    private final ThreadPoolExecutor consumerThreads = executor("exit137-consume", CONSUMER_THREADS);
    private final Refusals refusals = new Refusals();
    private final ConnectedNodes connected = new ConnectedNodes();
    private final AccessControl accessControl;
    private final IngestService ingest;
    private final Watches watches;
    private final Server server;

    private GrpcServer(
            InetSocketAddress address, AggregatorConfig config, EventStore store, InstantSource clock, Guard guard)
            throws UnusableFileException {
        ServerCredentials credentials = credentials(config.access(), refusals, clock);
        accessControl = new AccessControl(config.access(), refusals, clock, guard);
        Peers peers = new Peers(config.peerLimits(), refusals);
        boolean epoll = Epoll.isAvailable();
        eventLoop = new MultiThreadIoEventLoopGroup(
                1,
                Thread.ofPlatform().name("exit137-grpc").daemon().factory(),
                epoll ? EpollIoHandler.newFactory() : NioIoHandler.newFactory());
        Class<? extends ServerChannel> channel = epoll ? EpollServerSocketChannel.class : NioServerSocketChannel.class;
        ingest = new IngestService(store, connected, refusals, clock, guard);
        watches = new Watches(store, consumerThreads, eventLoop, clock, refusals, guard);
        NettyServerBuilder builder = NettyServerBuilder.forAddress(address, credentials)
                .bossEventLoopGroup(eventLoop)
                .workerEventLoopGroup(eventLoop)
                .channelType(channel)
                .executor(consumerThreads)
                .callExecutor(new CallThreads())
                .maxInboundMessageSize(MAX_MESSAGE_BYTES)
                .flowControlWindow(FLOW_CONTROL_WINDOW)
                .permitKeepAliveTime(PERMIT_KEEP_ALIVE_SECONDS, TimeUnit.SECONDS)
                .permitKeepAliveWithoutCalls(true)
                .keepAliveTime(30, TimeUnit.SECONDS)
                .keepAliveTimeout(10, TimeUnit.SECONDS)
                .maxConcurrentCallsPerConnection(MAX_CALLS_PER_CONNECTION)
                .maxConnectionIdle(MAX_CONNECTION_IDLE_MINUTES, TimeUnit.MINUTES)
                .maxRstFramesPerWindow(MAX_RST_FRAMES, RST_FRAMES_SECONDS)
                .intercept(new ResumeTokenHeader(store))
                .intercept(accessControl)
                // Inside the limits of peers, so that a failed call ends for the limits too.
                .intercept(new GuardedCalls(guard))
                // gRPC calls the last interceptor first: a call beyond the limits is rejected before any other work.
                .intercept(peers)
                .addService(MalformedMessages.keptFrom(ingest, refusals))
                .addService(
                        MalformedMessages.keptFrom(new OomEventsService(store, connected, watches, guard), refusals))
                .addService(MalformedMessages.keptFrom(new ExitEventsService(store, watches), refusals))
                .addService(health.getHealthService());
        reflection().forEach(builder::addService);
        server = builder.build();
        if (config.access().knowsCallers()) {
            eventLoop.scheduleWithFixedDelay(
                    guard.guarded("expiry", this::endUnproven),
                    PROOF_CHECK_SECONDS,
                    PROOF_CHECK_SECONDS,
                    TimeUnit.SECONDS);
        }
    }

    private void endUnproven() {
        ingest.endUnproven();
        watches.endUnproven();
    }

    public static GrpcServer start(AggregatorConfig config, EventStore store, InstantSource clock, Guard guard)
            throws IOException {
        String where = "cannot listen on " + config.listenHost() + ":" + config.listenPort() + ": ";
        InetSocketAddress address = new InetSocketAddress(config.listenHost(), config.listenPort());
        if (address.isUnresolved()) {
            throw new IOException(where + "the host is not known; give one of this machine with --listen HOST:PORT");
        }
        GrpcServer server = new GrpcServer(address, config, store, clock, guard);
        try {
            server.server.start();
        } catch (IOException e) {
            server.stopThreads();
            String reason = e.getCause() == null ? e.getMessage() : e.getCause().getMessage();
            throw new IOException(where + reason + "; stop what uses it, or give another with --listen HOST:PORT", e);
        }
        for (String service : List.of("", OomEventsGrpc.SERVICE_NAME, ExitEventsGrpc.SERVICE_NAME)) {
            server.health.setStatus(service, ServingStatus.SERVING);
        }
        store.onWriteFailure(failure -> server.health.setStatus(
                EventIngestGrpc.SERVICE_NAME, failure.isEmpty() ? ServingStatus.SERVING : ServingStatus.NOT_SERVING));
        return server;
    }

    public int port() {
        return server.getPort();
    }

    /** Returns the counts of rejections. */
    public Refusals refusals() {
        return refusals;
    }

    /** Returns the number of agents with an open stream. */
    public int connectedAgents() {
        return connected.size();
    }

    /** Returns the number of open watches. */
    public int watches() {
        return watches.size();
    }

    /** Returns the network's thread, for a heartbeat. */
    public Executor thread() {
        return eventLoop;
    }

    /** Ends all calls and waits for the threads. The received messages of agents are answered first. */
    @Override
    public void close() {
        health.enterTerminalState();
        server.shutdown();
        accessControl.close();
        ingest.close();
        watches.close();
        try {
            if (!server.awaitTermination(STOP_SECONDS, TimeUnit.SECONDS)) {
                server.shutdownNow().awaitTermination(STOP_SECONDS, TimeUnit.SECONDS);
            }
            // The watches end on these threads, through the event loop; so the event loop stops last.
            consumerThreads.shutdown();
            consumerThreads.awaitTermination(STOP_SECONDS, TimeUnit.SECONDS);
            stopThreads();
            eventLoop.awaitTermination(STOP_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            server.shutdownNow();
            stopThreads();
            Thread.currentThread().interrupt();
        }
    }

    private void stopThreads() {
        accessControl.close();
        ingestThread.shutdownNow();
        summaryThread.shutdownNow();
        consumerThreads.shutdown();
        eventLoop.shutdownGracefully(0, STOP_SECONDS, TimeUnit.SECONDS);
    }

    private static ServerCredentials credentials(AccessConfig access, Refusals refusals, InstantSource clock)
            throws UnusableFileException {
        if (access.certificate() == null) {
            return InsecureServerCredentials.create();
        }
        return Tls.server(
                access.certificate(),
                Objects.requireNonNull(access.key()),
                access.clientAuthorities(),
                clock,
                why -> refusals.add(Refusals.Reason.CERTIFICATE, "a client: " + why));
    }

    // grpcurl uses v1; older versions use only v1alpha.
    @SuppressWarnings("deprecation")
    private static List<BindableService> reflection() {
        return List.of(ProtoReflectionServiceV1.newInstance(), ProtoReflectionService.newInstance());
    }

    // After the stop no client waits for an answer, so late signals are discarded silently.
    private static ThreadPoolExecutor executor(String name, int threads) {
        return new ThreadPoolExecutor(
                threads,
                threads,
                0,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(),
                Thread.ofPlatform().name(name + "-", 0).daemon().factory(),
                new ThreadPoolExecutor.DiscardPolicy());
    }

    /**
     * Gives calls of agents their own thread, and summaries another, because a summary reads every event that it counts.
     */
    private final class CallThreads implements ServerCallExecutorSupplier {
        @Override
        public <ReqT, RespT> Executor getExecutor(ServerCall<ReqT, RespT> call, Metadata metadata) {
            MethodDescriptor<ReqT, RespT> method = call.getMethodDescriptor();
            if (EventIngestGrpc.SERVICE_NAME.equals(method.getServiceName())) {
                return ingestThread;
            }
            return SUMMARIES.contains(method.getFullMethodName()) ? summaryThread : consumerThreads;
        }
    }
}
