package dev.exit137.aggregator.consume;

import dev.exit137.aggregator.ProtoTimes;
import dev.exit137.aggregator.store.EventQuery;
import dev.exit137.aggregator.store.EventStore;
import dev.exit137.aggregator.store.ResumeToken;
import dev.exit137.aggregator.store.RowsRemovedException;
import dev.exit137.aggregator.store.StoredEvent;
import dev.exit137.proto.v1.Heartbeat;
import dev.exit137.proto.v1.WatchEventsResponse;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ServerCallStreamObserver;
import java.sql.SQLException;
import java.time.Instant;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One consumer's watch: a cursor over the store's rows. History and live events are the same thing to it, so there is
 * no seam between them where one could be lost, and a consumer that reads slowly leaves nothing but its cursor behind.
 *
 * <p>Anyone may {@link #signal()} that there may be something to do: a commit, gRPC's readiness, the timer. The work is
 * done by one thread of the executor at a time.
 */
final class EventWatch {
  private static final Logger log = LoggerFactory.getLogger(EventWatch.class);

  // Bounds of one turn, so that many watches share few threads, and the cursor moves on where little matches.
  private static final int MAX_EVENTS_PER_TURN = 256;
  private static final int MAX_ROWS_PER_TURN = 10_000;

  private final EventStore store;
  private final EventQuery query;
  private final ServerCallStreamObserver<WatchEventsResponse> responses;
  private final Executor executor;
  private final ScheduledExecutorService timer;
  private final long heartbeatNanos;
  private final Consumer<EventWatch> onEnd;

  private final AtomicInteger signals = new AtomicInteger();
  private volatile Status ending;
  private volatile boolean heartbeatDue = true;
  private volatile long lastSentNanoTime = System.nanoTime();
  private volatile ScheduledFuture<?> nextTick;

  // Below: only the thread whose turn it is.
  private ResumeToken cursor;
  private boolean ended;

  EventWatch(
      EventStore store,
      EventQuery query,
      ResumeToken start,
      long heartbeatNanos,
      ServerCallStreamObserver<WatchEventsResponse> responses,
      Executor executor,
      ScheduledExecutorService timer,
      Consumer<EventWatch> onEnd) {
    this.store = store;
    this.query = query;
    this.cursor = start;
    this.heartbeatNanos = heartbeatNanos;
    this.responses = responses;
    this.executor = executor;
    this.timer = timer;
    this.onEnd = onEnd;
  }

  /** Begins; to be called while gRPC is setting the call up. */
  void open() {
    responses.setOnReadyHandler(this::signal);
    responses.setOnCancelHandler(() -> end(Status.CANCELLED));
    tickAfter(heartbeatNanos);
    signal();
  }

  /** There may be something to do. Never blocks. */
  void signal() {
    if (signals.getAndIncrement() == 0) {
      executor.execute(this::takeTurn);
    }
  }

  /** Ends the watch, from any thread. */
  void end(Status status) {
    ending = status;
    signal();
  }

  private void takeTurn() {
    int answered = signals.get();
    boolean more = false;
    try {
      more = work();
    } catch (RowsRemovedException e) {
      finish(Requests.removed(cursor.movedTo(e.lastRemovedRowId())));
    } catch (SQLException | RuntimeException e) {
      log.error("a watch ends, as the store cannot be read", e);
      String reason = "the aggregator's store could not be read: " + e.getMessage();
      finish(Status.UNAVAILABLE.withDescription(reason).asRuntimeException());
    }
    if (more || signals.addAndGet(-answered) != 0) {
      executor.execute(this::takeTurn);
    }
  }

  /** Does a bounded part of what there is to do; true when there is more. */
  private boolean work() throws SQLException, RowsRemovedException {
    if (ending != null) {
      finish(ending.asRuntimeException());
    }
    if (ended) {
      return false;
    }
    RowsRemovedException.throwIfAfter(cursor.rowId(), store.removedUpTo());
    if (!responses.isReady()) {
      return false;
    }
    if (heartbeatDue) {
      heartbeatDue = false;
      Heartbeat heartbeat = Heartbeat.newBuilder().setTime(ProtoTimes.timestamp(Instant.now())).build();
      send(WatchEventsResponse.newBuilder().setHeartbeat(heartbeat));
    }
    long lastRowId = store.lastRowId();
    EventQuery wanted = query;
    long upToRowId = lastRowId;
    if (cursor.inHistory()) {
      wanted = query.narrowedTo(cursor.historySinceNanos());
      upToRowId = cursor.historyEndRowId();
    }
    upToRowId = Math.min(upToRowId, cursor.rowId() + MAX_ROWS_PER_TURN);
    if (cursor.rowId() < upToRowId) {
      cursor = cursor.movedTo(store.scan(wanted, cursor.rowId(), upToRowId, MAX_EVENTS_PER_TURN, this::deliver));
    }
    return cursor.rowId() < lastRowId && responses.isReady();
  }

  private boolean deliver(StoredEvent stored) {
    cursor = cursor.movedTo(stored.rowId());
    send(WatchEventsResponse.newBuilder().setEvent(stored.event()));
    return responses.isReady();
  }

  private void send(WatchEventsResponse.Builder response) {
    responses.onNext(response.setResumeToken(cursor.encode()).build());
    lastSentNanoTime = System.nanoTime();
  }

  private void finish(StatusRuntimeException how) {
    if (ended) {
      return;
    }
    ended = true;
    ending = how.getStatus();
    nextTick.cancel(false);
    onEnd.accept(this);
    if (!responses.isCancelled()) {
      responses.onError(how);
    }
  }

  private void tick() {
    long idleNanos = System.nanoTime() - lastSentNanoTime;
    if (idleNanos >= heartbeatNanos) {
      heartbeatDue = true;
      signal();
      tickAfter(heartbeatNanos);
    } else {
      tickAfter(heartbeatNanos - idleNanos);
    }
  }

  private void tickAfter(long delayNanos) {
    nextTick = timer.schedule(this::tick, delayNanos, TimeUnit.NANOSECONDS);
    if (ending != null) {
      nextTick.cancel(false);
    }
  }
}
