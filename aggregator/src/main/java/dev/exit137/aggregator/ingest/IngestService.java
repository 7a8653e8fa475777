package dev.exit137.aggregator.ingest;

import dev.exit137.aggregator.access.Caller;
import dev.exit137.aggregator.access.Refusals;
import dev.exit137.aggregator.peer.Peer;
import dev.exit137.aggregator.store.EventStore;
import dev.exit137.proto.v1.EventIngestGrpc;
import dev.exit137.proto.v1.PublishEventsRequest;
import dev.exit137.proto.v1.PublishEventsResponse;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Takes the agents' events and statuses. Its calls run on a thread of their own, since a full store makes it wait: then
 * agents wait, and consumers do not.
 */
public final class IngestService extends EventIngestGrpc.EventIngestImplBase implements AutoCloseable {
  private final EventStore store;
  private final ConnectedNodes connected;
  private final Refusals refusals;
  private final Set<IngestStream> streams = ConcurrentHashMap.newKeySet();
  private volatile boolean closed;

  /** Stores into the store, keeps the set of connected nodes, and counts what it refuses. */
  public IngestService(EventStore store, ConnectedNodes connected, Refusals refusals) {
    this.store = store;
    this.connected = connected;
    this.refusals = refusals;
  }

  @Override
  public StreamObserver<PublishEventsRequest> publishEvents(StreamObserver<PublishEventsResponse> responses) {
    IngestStream stream =
        new IngestStream(
            store,
            (ServerCallStreamObserver<PublishEventsResponse>) responses,
            Peer.current(),
            Caller.current(),
            connected,
            refusals,
            streams::remove);
    streams.add(stream);
    stream.open();
    if (closed) {
      close();
    }
    return stream;
  }

  /** Ends every stream with UNAVAILABLE, once what it sent is on the disk. */
  @Override
  public void close() {
    closed = true;
    Status status = Status.UNAVAILABLE.withDescription("the aggregator is stopping; connect again later");
    streams.forEach(stream -> stream.end(status));
  }
}
