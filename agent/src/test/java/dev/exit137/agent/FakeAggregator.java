package dev.exit137.agent;

import dev.exit137.proto.v1.EventIngestGrpc;
import dev.exit137.proto.v1.PublishEventsRequest;
import dev.exit137.proto.v1.PublishEventsResponse;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** An aggregator on loopback that does what a test says: it acknowledges nothing by itself. */
final class FakeAggregator extends EventIngestGrpc.EventIngestImplBase implements AutoCloseable {
    private final BlockingQueue<AgentStream> streams = new LinkedBlockingQueue<>();
    private final AtomicInteger refusals = new AtomicInteger();
    private final Server server;
    private volatile boolean away;

    FakeAggregator() {
        try {
            server = NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                    .directExecutor()
                    .addService(this)
                    .build()
                    .start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** {@code HOST:PORT}. */
    String address() {
        return "localhost:" + server.getPort();
    }

    /** From now on every stream is refused, as by a load balancer with nothing behind it. */
    void goAway() {
        away = true;
    }

    void comeBack() {
        away = false;
    }

    /** Returns when an agent has tried, and failed, once more. */
    void awaitRefusal() {
        int before = refusals.get();
        Await.until("another attempt of the agent", refusals::get, now -> now > before);
    }

    /** The next stream that an agent opens. */
    AgentStream nextStream() throws InterruptedException {
        return nextStream(Await.PATIENCE);
    }

    AgentStream nextStream(Duration patience) throws InterruptedException {
        AgentStream stream = streams.poll(patience.toSeconds(), TimeUnit.SECONDS);
        if (stream == null) {
            throw new AssertionError("no agent opened a stream");
        }
        return stream;
    }

    /** A stream that an agent has opened, or null. */
    AgentStream pollStream() {
        return streams.poll();
    }

    @Override
    public StreamObserver<PublishEventsRequest> publishEvents(StreamObserver<PublishEventsResponse> responses) {
        AgentStream stream = new AgentStream(responses);
        if (away) {
            stream.breakOff(Status.UNAVAILABLE.withDescription("away"));
            refusals.incrementAndGet();
        } else {
            streams.add(stream);
        }
        return stream;
    }

    @Override
    public void close() throws InterruptedException {
        server.shutdownNow().awaitTermination();
    }
}
