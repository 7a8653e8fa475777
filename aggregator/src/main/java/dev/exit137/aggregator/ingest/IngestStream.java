package dev.exit137.aggregator.ingest;

import dev.exit137.aggregator.access.Caller;
import dev.exit137.aggregator.limits.Peer;
import dev.exit137.aggregator.server.GuardedCalls;
import dev.exit137.aggregator.server.Refusals;
import dev.exit137.aggregator.server.Refusals.Reason;
import dev.exit137.aggregator.store.EventFacts;
import dev.exit137.aggregator.store.EventStore;
import dev.exit137.aggregator.store.StoreWrite;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.EventAck;
import dev.exit137.proto.v1.PublishEventsRequest;
import dev.exit137.proto.v1.PublishEventsResponse;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One agent's stream. gRPC calls it on the ingest thread, the store on its writer thread. It requests the next message
 * from gRPC only while few writes are pending and the agent reads its acknowledgements, so a flood waits in the agent.
 * The stream ends only after all accepted messages are answered. The exception is an unexpected error: after it the
 * agent resends the unanswered messages.
 */
final class IngestStream implements StreamObserver<Published>, StoreWrite.Listener {
    private static final String PLACE = "ingest";
    private static final int MAX_IN_FLIGHT = 256;
    private static final int MAX_IN_FLIGHT_BYTES = 1 << 20;

    // Each request to gRPC goes through its event loop, so a few small messages are requested together.
    private static final int MAX_REQUESTED = 8;

    private final EventStore store;
    private final ServerCallStreamObserver<PublishEventsResponse> responses;
    private final Peer peer;
    private final Caller caller;
    private final ConnectedNodes connected;
    private final Refusals refusals;
    private final InstantSource clock;
    private final Guard guard;
    private final Consumer<IngestStream> onEnd;

    // All fields below are guarded by this. No lock is held during submit: submit waits for the writer, which needs the
    // lock.
    private String node = "";
    private int requested;
    private int inFlight;
    private int inFlightBytes;
    private int largestBytes;
    private @Nullable Status ending;
    private boolean ended;

    IngestStream(
            EventStore store,
            ServerCallStreamObserver<PublishEventsResponse> responses,
            Peer peer,
            Caller caller,
            ConnectedNodes connected,
            Refusals refusals,
            InstantSource clock,
            Guard guard,
            Consumer<IngestStream> onEnd) {
        this.store = store;
        this.responses = responses;
        this.peer = peer;
        this.caller = caller;
        this.connected = connected;
        this.refusals = refusals;
        this.clock = clock;
        this.guard = guard;
        this.onEnd = onEnd;
    }

    /** Opens the stream. Must be called while gRPC sets the call up. */
    void open() {
        attempt(() -> {
            responses.disableAutoRequest();
            responses.setOnReadyHandler(() -> attempt(this::requestNext));
            responses.setOnCancelHandler(() -> end(Status.CANCELLED));
            requestNext();
        });
    }

    @Override
    public void onNext(Published published) {
        attempt(() -> take(published));
    }

    private void take(Published published) {
        PublishEventsRequest message = published.message();
        endIfUnproven();
        if (!arrived(published.bytes().length)) {
            return;
        }
        Optional<Status> tooMany = peer.sent(published.bytes().length);
        if (tooMany.isPresent()) {
            end(tooMany.get());
            return;
        }
        if (isOfNewerKind(message)) {
            requestNext();
            return;
        }
        Optional<String> brokenRule = MessageRules.broken(published);
        if (brokenRule.isPresent()) {
            refuse(Reason.INVALID_MESSAGE, Status.INVALID_ARGUMENT.withDescription(brokenRule.get()));
            return;
        }
        Instant now = clock.instant();
        StoreWrite write = switch (message.getMessageCase()) {
            case EVENT -> event(EventFacts.of(message.getEvent()), published, now);
            case EXIT -> event(EventFacts.of(message.getExit()), published, now);
            case STATUS, MESSAGE_NOT_SET -> new StoreWrite.Status(message.getStatus(), now, this);
        };
        if (!caller.mayPublishFor(write.node())) {
            refuse(
                    Reason.WRONG_NODE,
                    Status.PERMISSION_DENIED.withDescription(caller + " may not publish for node " + write.node()
                            + "; an agent's --node-name must be that node"));
            return;
        }
        accept(write);
        try {
            store.submit(write);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            failed(List.of(write), e);
        }
        requestNext();
    }

    private StoreWrite event(EventFacts facts, Published published, Instant now) {
        return new StoreWrite.Event(facts, published.eventBytes(), now, this);
    }

    @Override
    public void onError(Throwable cancelled) {
        end(Status.CANCELLED);
    }

    @Override
    public void onCompleted() {
        end(Status.OK);
    }

    private void refuse(Reason reason, Status status) {
        refusals.add(reason, "a message of " + caller + ": " + status.getDescription());
        end(status);
    }

    /** Ends the stream if the caller's certificate or token has expired. Must be called periodically. */
    void endIfUnproven() {
        attempt(() -> {
            synchronized (this) {
                if (ending == null) {
                    caller.ended(clock.instant(), refusals).ifPresent(this::end);
                }
            }
        });
    }

    /** Accepts no more messages, answers the pending ones, then ends with the status. The first status wins. */
    synchronized void end(Status status) {
        if (ending == null) {
            ending = status;
        }
        endWhenAnswered();
    }

    @Override
    public void committed(List<StoreWrite> writes) {
        attempt(() -> acknowledge(writes));
    }

    private synchronized void acknowledge(List<StoreWrite> writes) {
        PublishEventsResponse.Builder response = PublishEventsResponse.newBuilder();
        for (StoreWrite write : writes) {
            if (write instanceof StoreWrite.Event(EventFacts event, byte[] _, Instant _, StoreWrite.Listener _)) {
                response.addAcks(
                        EventAck.newBuilder().setEventId(event.eventId()).setRevision(event.revision()));
            }
        }
        if (response.getAcksCount() > 0 && !ended) {
            responses.onNext(response.build());
        }
        answered(writes);
    }

    @Override
    public void failed(List<StoreWrite> writes, Exception cause) {
        attempt(() -> giveUp(writes, cause));
    }

    private synchronized void giveUp(List<StoreWrite> writes, Exception cause) {
        if (ending == null || ending.isOk()) {
            ending = Status.UNAVAILABLE
                    .withDescription(
                            "the aggregator could not store events: " + cause.getMessage() + "; send them again")
                    .withCause(cause);
        }
        answered(writes);
    }

    /** Whether the message is neither an event nor a status, but a kind of a later version. */
    private static boolean isOfNewerKind(PublishEventsRequest message) {
        return message.getMessageCase() == PublishEventsRequest.MessageCase.MESSAGE_NOT_SET
                && !message.getUnknownFields().asMap().isEmpty();
    }

    /** Counts the arrival of a message; returns whether the stream still accepts it. */
    private synchronized boolean arrived(int bytes) {
        requested--;
        largestBytes = Math.max(largestBytes, bytes);
        return ending == null;
    }

    private synchronized void accept(StoreWrite write) {
        if (node.isEmpty()) {
            node = write.node();
            connected.add(node);
        }
        inFlight++;
        inFlightBytes += write.bytes();
    }

    private void answered(List<StoreWrite> writes) {
        inFlight -= writes.size();
        for (StoreWrite write : writes) {
            inFlightBytes -= write.bytes();
        }
        endWhenAnswered();
        requestNext();
    }

    private synchronized void requestNext() {
        if (ending != null || !responses.isReady()) {
            return;
        }
        int more = Math.min(MAX_REQUESTED, Math.min(MAX_IN_FLIGHT - inFlight, messagesThatFit())) - requested;
        if (more > 0) {
            requested += more;
            responses.request(more);
        }
    }

    /**
     * Assumes the size of the largest message so far. While none is known, or none fits, one message is requested if any
     * room is left.
     */
    private int messagesThatFit() {
        int room = MAX_IN_FLIGHT_BYTES - inFlightBytes;
        if (room <= 0) {
            return 0;
        }
        return largestBytes == 0 ? 1 : Math.max(1, room / largestBytes);
    }

    private void endWhenAnswered() {
        if (ending != null && inFlight == 0) {
            finish(ending);
        }
    }

    private void finish(Status how) {
        if (ended) {
            return;
        }
        ended = true;
        if (!node.isEmpty()) {
            connected.remove(node);
        }
        onEnd.accept(this);
        guard.run(PLACE, () -> {
            if (how.isOk()) {
                responses.onCompleted();
            } else if (!responses.isCancelled()) {
                responses.onError(how.asRuntimeException());
            }
        });
    }

    /** Does a part of the stream's work. An unexpected exception ends the stream at once. */
    private void attempt(Runnable part) {
        try {
            part.run();
        } catch (Throwable e) {
            guard.caught(PLACE, e);
            synchronized (this) {
                ending = GuardedCalls.FAILURE;
                finish(GuardedCalls.FAILURE);
            }
        }
    }
}
