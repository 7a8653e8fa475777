package dev.exit137.bench;

import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoHandler;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollSocketChannel;
import io.grpc.netty.shaded.io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/**
 * {@code bin/exit137 aggregator} with an empty store and a memory watch, and connections to it that share two threads.
 */
final class AggregatorProcess implements AutoCloseable {
    private static final long POLL_NANOS = 50_000_000;
    private static final long START_NANOS = TimeUnit.SECONDS.toNanos(60);

    private final int port;
    private final Process process;
    final MemoryWatch memory;
    private final EventLoopGroup eventLoops = new MultiThreadIoEventLoopGroup(
            2, new DefaultThreadFactory("bench-client", true), EpollIoHandler.newFactory());
    private final List<ManagedChannel> channels = new ArrayList<>();

    private AggregatorProcess(Path root, Path work) throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = socket.getLocalPort();
        }
        Path data = data(work);
        deleteTree(data);
        process = new ProcessBuilder(
                        root.resolve("bin/exit137").toString(),
                        "aggregator",
                        "--listen",
                        "127.0.0.1:" + port,
                        "--data-dir",
                        data.toString(),
                        // All agents and consumers run on this machine, so they are one peer for the limits.
                        "--peer-max-streams",
                        "0",
                        "--peer-max-requests-per-second",
                        "0",
                        "--peer-max-events-per-second",
                        "0")
                .redirectOutput(work.resolve("aggregator.log").toFile())
                .redirectErrorStream(true)
                .start();
        memory = new MemoryWatch(process.pid());
    }

    static AggregatorProcess start(Path root, Path work) throws IOException {
        AggregatorProcess aggregator = new AggregatorProcess(root, work);
        long begin = System.nanoTime();
        while (!aggregator.isListening()) {
            if (!aggregator.process.isAlive() || System.nanoTime() - begin > START_NANOS) {
                aggregator.close();
                throw new IOException("the aggregator does not start; see " + work.resolve("aggregator.log"));
            }
            LockSupport.parkNanos(POLL_NANOS);
        }
        return aggregator;
    }

    private static Path data(Path work) {
        return work.resolve("aggregator");
    }

    /** Returns its address. */
    String address() {
        return "127.0.0.1:" + port;
    }

    /** Returns the store's file that the last process left. */
    static Path store(Path work) {
        return data(work).resolve("events.db");
    }

    private boolean isListening() {
        try (var socket = new java.net.Socket(InetAddress.getLoopbackAddress(), port)) {
            return socket.isConnected();
        } catch (IOException e) {
            return false;
        }
    }

    /** Opens a separate connection, as an agent or a consumer has. */
    ManagedChannel connect() {
        ManagedChannel channel = NettyChannelBuilder.forAddress("127.0.0.1", port)
                .usePlaintext()
                .directExecutor()
                .eventLoopGroup(eventLoops)
                .channelType(EpollSocketChannel.class)
                .build();
        channels.add(channel);
        return channel;
    }

    @Override
    public void close() {
        channels.forEach(ManagedChannel::shutdownNow);
        memory.close();
        process.destroy();
        try {
            if (!process.waitFor(10, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        eventLoops.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }

    private static void deleteTree(Path directory) throws IOException {
        if (!Files.exists(directory)) {
            return;
        }
        try (Stream<Path> tree = Files.walk(directory)) {
            for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }
}
