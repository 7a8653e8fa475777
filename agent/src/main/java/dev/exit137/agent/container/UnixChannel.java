package dev.exit137.agent.container;

import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoHandler;
import io.grpc.netty.shaded.io.netty.util.concurrent.DefaultThreadFactory;
import java.nio.file.Path;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/** A gRPC channel to a unix socket, with one thread that moves its bytes. */
final class UnixChannel implements AutoCloseable {
    /** The same limit as kubelet's: on a node with many pods a list is larger than gRPC's 4 MiB. */
    private static final int MAX_MESSAGE_BYTES = 16 << 20;

    private final EventLoopGroup group;
    private final ManagedChannel channel;

    /**
     * @param threadName of the thread that moves bytes
     * @param thread runs every callback
     */
    UnixChannel(Path socket, String threadName, Executor thread) {
        group = new MultiThreadIoEventLoopGroup(
                1, new DefaultThreadFactory(threadName, true), EpollIoHandler.newFactory());
        // The unix resolver brings its own channel type, but also a thread for each processor. Some servers reject a
        // path
        // as the authority.
        NettyChannelBuilder builder = (NettyChannelBuilder)
                Grpc.newChannelBuilder("unix://" + socket.toAbsolutePath(), InsecureChannelCredentials.create());
        channel = builder.eventLoopGroup(group)
                .overrideAuthority("localhost")
                .executor(thread)
                .maxInboundMessageSize(MAX_MESSAGE_BYTES)
                .disableRetry()
                .build();
    }

    ManagedChannel channel() {
        return channel;
    }

    /** Ends the connection, and waits for a moment until no callback comes any more. */
    @Override
    public void close() {
        channel.shutdownNow();
        try {
            channel.awaitTermination(1, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
}
