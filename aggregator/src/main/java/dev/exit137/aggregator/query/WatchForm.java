package dev.exit137.aggregator.query;

import com.google.protobuf.Message;
import dev.exit137.proto.v1.Heartbeat;

/**
 * The responses of a watch of one kind of event.
 *
 * @param <E> the event
 * @param <P> the response
 */
interface WatchForm<E extends Message, P> {
    /** Returns the response with an event. */
    P event(E event, String resumeToken);

    /** Returns the response with a heartbeat. */
    P heartbeat(Heartbeat heartbeat, String resumeToken);
}
