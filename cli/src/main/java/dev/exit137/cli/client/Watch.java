package dev.exit137.cli.client;

import com.google.protobuf.Timestamp;
import io.grpc.StatusException;
import io.grpc.stub.BlockingClientCall;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The request for a stream of events of one kind. Immutable: a request that starts elsewhere is another one.
 *
 * @param <E> the event
 */
public interface Watch<E> {
    /** Makes the call, on a new connection if the old one has failed. */
    Open<E> open(AggregatorClient client);

    /** The same request, started after the message with this token. */
    Watch<E> after(String token);

    /** The same request, started with stored events of this time or later. */
    Watch<E> from(Timestamp time);

    /** The token after which it starts; empty for none. */
    String resumeToken();

    /**
     * A message of the stream.
     *
     * @param event null for a heartbeat
     * @param time the aggregator's time of the heartbeat, or the time when an agent learned of the event
     * @param resumeToken to continue after this message
     */
    record Received<E>(@Nullable E event, Timestamp time, String resumeToken) {}

    /** A call that is open. */
    interface Open<E> {
        /**
         * Waits for the next message.
         *
         * @return null after the end of the stream
         * @throws TimeoutException none came in that time
         * @throws StatusException the stream failed
         */
        @Nullable
        Received<E> read(long nanos) throws StatusException, TimeoutException, InterruptedException;

        /** Ends the call on both sides. Any thread may do it. */
        void cancel();
    }

    /** A call whose messages hold these events. */
    static <M, E> Open<E> open(BlockingClientCall<?, M> call, Function<M, Received<E>> reading) {
        return new Open<>() {
            @Override
            public @Nullable Received<E> read(long nanos)
                    throws StatusException, TimeoutException, InterruptedException {
                M message = call.read(nanos, TimeUnit.NANOSECONDS);
                return message == null ? null : reading.apply(message);
            }

            @Override
            public void cancel() {
                call.cancel("closed by the client", null);
            }
        };
    }
}
