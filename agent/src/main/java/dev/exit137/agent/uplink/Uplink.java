package dev.exit137.agent.uplink;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.exit137.proto.security.ClientSecurity;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.EventAck;
import dev.exit137.proto.v1.EventIngestGrpc;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.PublishEventsRequest;
import dev.exit137.proto.v1.PublishEventsResponse;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.nio.NioIoHandler;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioSocketChannel;
import io.grpc.netty.shaded.io.netty.util.concurrent.DefaultThreadFactory;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.util.List;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The stream to an aggregator: always one, opened again with backoff and jitter, at the next address when one fails.
 * Everything here runs on the agent-worker thread; the bytes move on the agent-grpc thread.
 */
public final class Uplink implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Uplink.class);
  private static final long FIRST_BACKOFF_MILLIS = 200;
  private static final long MAX_BACKOFF_MILLIS = 30_000;
  /** Events on their way at a time. */
  private static final int WINDOW = 512;

  /** Whose events are sent; called on the agent-worker thread. */
  public interface Source {
    /** A stream is open: everything that is not acknowledged is to be sent on it. */
    void onConnected();

    /** The next event for this stream, serialized; null when there is none. */
    ByteString pollUnsent();

    /** What the agent says of itself; null when there is nothing to say yet. */
    AgentStatus status();

    /** Events that are durable now. */
    void onAcknowledged(List<EventAck> acks);
  }

  private final List<String> aggregators;
  private final ClientSecurity security;
  private final ScheduledExecutorService worker;
  private final Source source;
  private final EventLoopGroup grpcThread =
      new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("agent-grpc", true), NioIoHandler.newFactory());

  private int next;
  private long backoffMillis = FIRST_BACKOFF_MILLIS;
  private volatile ManagedChannel channel;
  private ClientCallStreamObserver<PublishEventsRequest> stream;
  private int inFlight;
  private boolean statusDue;
  private boolean failureSaid;
  private boolean closed;

  /** @param worker single-threaded; runs this object's callbacks */
  public Uplink(
      List<String> aggregators, ClientSecurity security, ScheduledExecutorService worker, Source source) {
    this.aggregators = aggregators;
    this.security = security;
    this.worker = worker;
    this.source = source;
  }

  /** Opens the stream to the next address. */
  public void connect() {
    if (closed) {
      return;
    }
    Responses responses = new Responses(aggregators.get(next++ % aggregators.size()));
    inFlight = 0;
    try {
      channel =
          security.channelTo(responses.address)
              .eventLoopGroup(grpcThread)
              .channelType(NioSocketChannel.class)
              .executor(worker)
              .keepAliveTime(30, TimeUnit.SECONDS)
              .build();
      EventIngestGrpc.newStub(channel).publishEvents(responses);
    } catch (IllegalArgumentException e) {
      responses.ended(Status.INVALID_ARGUMENT.withDescription("no address: " + e.getMessage()));
    }
  }

  /** Sends what there is to send, as far as the stream takes it. */
  public void pump() {
    while (stream != null && stream.isReady() && inFlight < WINDOW) {
      ByteString event = source.pollUnsent();
      if (event == null) {
        return;
      }
      inFlight++;
      stream.onNext(PublishEventsRequest.newBuilder().setEvent(parse(event)).build());
    }
  }

  private static OomKillEvent parse(ByteString event) {
    try {
      return OomKillEvent.parseFrom(event);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("an event that this agent wrote cannot be read", e);
    }
  }

  /** Sends the agent's status, if there is a stream. */
  public void sendStatus() {
    AgentStatus status = source.status();
    if (stream == null || status == null) {
      return;
    }
    statusDue = !stream.isReady();
    if (!statusDue) {
      stream.onNext(PublishEventsRequest.newBuilder().setStatus(status).build());
    }
  }

  private final class Responses implements ClientResponseObserver<PublishEventsRequest, PublishEventsResponse> {
    private final String address;
    private ClientCallStreamObserver<PublishEventsRequest> call;
    private boolean connected;

    Responses(String address) {
      this.address = address;
    }

    @Override
    public void beforeStart(ClientCallStreamObserver<PublishEventsRequest> call) {
      this.call = call;
      call.setOnReadyHandler(this::onReady);
    }

    private void onReady() {
      if (!connected) {
        connected = true;
        stream = call;
        source.onConnected();
        statusDue = true;
      }
      if (statusDue) {
        sendStatus();
      }
      pump();
    }

    @Override
    public void onNext(PublishEventsResponse response) {
      if (failureSaid || backoffMillis != FIRST_BACKOFF_MILLIS) {
        LOG.info("aggregator {} is back", address);
      }
      failureSaid = false;
      backoffMillis = FIRST_BACKOFF_MILLIS;
      inFlight -= response.getAcksCount();
      source.onAcknowledged(response.getAcksList());
      pump();
    }

    @Override
    public void onError(Throwable failure) {
      ended(Status.fromThrowable(failure));
    }

    @Override
    public void onCompleted() {
      ended(Status.UNAVAILABLE.withDescription("the aggregator ended the stream"));
    }

    private void ended(Status status) {
      stream = null;
      if (channel != null) {
        channel.shutdownNow();
      }
      if (closed) {
        return;
      }
      if (!failureSaid) {
        failureSaid = true;
        LOG.warn("no aggregator at {} takes events: {} {}; they are kept and sent when one does",
            address, status.getCode(), security.reason(status));
      }
      long jittered = backoffMillis * (80 + ThreadLocalRandom.current().nextInt(41)) / 100;
      backoffMillis = Math.min(MAX_BACKOFF_MILLIS, backoffMillis * 2);
      worker.schedule(Uplink.this::connect, jittered, TimeUnit.MILLISECONDS);
    }
  }

  /** Ends the stream: what was sent is still acknowledged. */
  @Override
  public void close() {
    closed = true;
    if (stream != null) {
      stream.onCompleted();
      stream = null;
      channel.shutdown();
    } else if (channel != null) {
      channel.shutdownNow();
    }
  }

  /** Waits until the stream has ended; then no callback comes any more. Any thread but the worker's. */
  public void awaitClosed(long seconds) throws InterruptedException {
    ManagedChannel last = channel;
    if (last != null && !last.awaitTermination(seconds, TimeUnit.SECONDS)) {
      last.shutdownNow();
    }
    grpcThread.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }
}
