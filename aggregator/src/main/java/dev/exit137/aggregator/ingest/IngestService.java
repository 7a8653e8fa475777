package dev.exit137.aggregator.ingest;

import dev.exit137.aggregator.access.Caller;
import dev.exit137.aggregator.limits.Peer;
import dev.exit137.aggregator.server.Refusals;
import dev.exit137.aggregator.store.EventStore;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.EventIngestGrpc;
import dev.exit137.proto.v1.PublishEventsResponse;
import io.grpc.BindableService;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.time.InstantSource;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Accepts the agents' events and statuses. Its calls run on a thread of their own, because a full write queue blocks
 * it: then agents wait, and consumers do not.
 */
public final class IngestService implements BindableService, AutoCloseable {
    private static final MethodDescriptor<Published, PublishEventsResponse> PUBLISH =
            EventIngestGrpc.getPublishEventsMethod().toBuilder(
                            new Published.Marshaller(),
                            EventIngestGrpc.getPublishEventsMethod().getResponseMarshaller())
                    .build();

    private final EventStore store;
    private final ConnectedNodes connected;
    private final Refusals refusals;
    private final InstantSource clock;
    private final Guard guard;
    private final Set<IngestStream> streams = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    /**
     * Writes to the store, keeps the set of connected nodes, and counts rejections.
     *
     * @param clock the wall clock
     */
    public IngestService(
            EventStore store, ConnectedNodes connected, Refusals refusals, InstantSource clock, Guard guard) {
        this.store = store;
        this.connected = connected;
        this.refusals = refusals;
        this.clock = clock;
        this.guard = guard;
    }

    /** Returns the service of the contract, with a marshaller that keeps the bytes of each message. */
    @Override
    public ServerServiceDefinition bindService() {
        ServiceDescriptor service = ServiceDescriptor.newBuilder(EventIngestGrpc.SERVICE_NAME)
                .setSchemaDescriptor(EventIngestGrpc.getServiceDescriptor().getSchemaDescriptor())
                .addMethod(PUBLISH)
                .build();
        return ServerServiceDefinition.builder(service)
                .addMethod(PUBLISH, ServerCalls.asyncBidiStreamingCall(this::publishEvents))
                .build();
    }

    private StreamObserver<Published> publishEvents(StreamObserver<PublishEventsResponse> responses) {
        IngestStream stream = new IngestStream(
                store,
                (ServerCallStreamObserver<PublishEventsResponse>) responses,
                Peer.current(),
                Caller.current(),
                connected,
                refusals,
                clock,
                guard,
                streams::remove);
        streams.add(stream);
        stream.open();
        if (closed) {
            close();
        }
        return stream;
    }

    /** Ends the streams of callers with an expired certificate or token. Must be called periodically. */
    public void endUnproven() {
        streams.forEach(IngestStream::endIfUnproven);
    }

    /** Ends every stream with UNAVAILABLE, after its messages are on the disk. */
    @Override
    public void close() {
        closed = true;
        Status status = Status.UNAVAILABLE.withDescription("the aggregator is stopping; connect again later");
        streams.forEach(stream -> stream.end(status));
    }
}
