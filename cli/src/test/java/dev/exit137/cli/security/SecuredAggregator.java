package dev.exit137.cli.security;

import dev.exit137.cli.Events;
import dev.exit137.cli.Session;
import dev.exit137.daemon.tls.ClientSecurity;
import dev.exit137.proto.v1.EventIngestGrpc;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.PublishEventsRequest;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.stub.BlockingClientCall;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** {@code exit137 aggregator} with its flags, in this process, and those who want something of it. */
final class SecuredAggregator implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 120;

    private final Session session = new Session();
    private final CompletableFuture<Integer> exitCode;
    private final String address;

    /** One whose clock is the JDK's, by which that checks certificates. */
    SecuredAggregator(Path directory, String... flags) throws InterruptedException {
        this(directory, InstantSource.system(), flags);
    }

    SecuredAggregator(Path directory, InstantSource clock, String... flags) throws InterruptedException {
        session.clock = clock;
        exitCode = session.start(Stream.concat(
                        Stream.of(
                                "aggregator",
                                "--listen",
                                "127.0.0.1:0",
                                "--data-dir",
                                directory.resolve("data").toString()),
                        Stream.of(flags))
                .toArray(String[]::new));
        String line = session.nextErrorLine();
        if (!line.contains("aggregator listens on ")) {
            throw new AssertionError(line);
        }
        address = line.substring(line.indexOf("127.0.0.1"), line.indexOf(','));
    }

    String address() {
        return address;
    }

    /** What {@code exit137 nodes} says on stderr. */
    String ask(String... flags) {
        return ask(InstantSource.system(), flags);
    }

    /** The same with another clock. */
    String ask(InstantSource clock, String... flags) {
        Session client = new Session();
        client.clock = clock;
        client.run(Stream.concat(Stream.of("nodes", "--server", address), Stream.of(flags))
                .toArray(String[]::new));
        return String.join("\n", client.err());
    }

    /** How the aggregator answers an event of that node: OK, or why not. */
    Status publish(ClientSecurity security, String node) throws InterruptedException {
        ManagedChannel channel = security.channelTo(address).build();
        try {
            var call = EventIngestGrpc.newBlockingV2Stub(channel)
                    .withDeadlineAfter(PATIENCE_SECONDS, TimeUnit.SECONDS)
                    .publishEvents();
            return send(call, event(node));
        } finally {
            channel.shutdownNow().awaitTermination(PATIENCE_SECONDS, TimeUnit.SECONDS);
        }
    }

    private static Status send(BlockingClientCall<PublishEventsRequest, ?> call, OomKillEvent event)
            throws InterruptedException {
        try {
            call.write(PublishEventsRequest.newBuilder().setEvent(event).build());
            if (call.read() == null) {
                throw new AssertionError("the stream ended with neither an answer nor a failure");
            }
            return Status.OK;
        } catch (StatusException e) {
            return e.getStatus();
        }
    }

    /** The nodes of which something is stored, as a reader with these flags is told. */
    List<String> storedNodes(String... flags) {
        Session client = new Session();
        client.clock = InstantSource.system();
        client.run(Stream.concat(Stream.of("list", "-o", "json", "--server", address), Stream.of(flags))
                .toArray(String[]::new));
        return client.out();
    }

    static OomKillEvent event(String node) {
        return OomKillEvent.newBuilder()
                .setEventId("an-event-of-" + node)
                .setRevision(1)
                .setTime(Events.TIME)
                .setNode(Node.newBuilder().setName(node))
                .build();
    }

    @Override
    public void close() {
        session.stop.request();
        exitCode.join();
    }
}
