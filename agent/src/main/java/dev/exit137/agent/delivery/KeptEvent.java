package dev.exit137.agent.delivery;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.exit137.agent.delivery.spool.Position;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.PublishEventsRequest;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A serialized event, and the spool records that are done when it is acknowledged. An OOM kill is kept as its own bytes,
 * as it was before there were other kinds; any other kind as those of the message that carries it. Agent-worker thread.
 */
final class KeptEvent {
    final EventKey key;
    final ByteString event;
    /** The record of this revision; null while it is not on the disk. */
    @Nullable
    Position record;
    /** Records of this event that were read from the spool, in this and older revisions. */
    final List<Position> read = new ArrayList<>(1);

    KeptEvent(EventKey key, ByteString event) {
        this.key = key;
        this.event = event;
    }

    String id() {
        return key.id();
    }

    static KeptEvent of(OomKillEvent event) {
        return new KeptEvent(EventKey.of(event), event.toByteString());
    }

    static KeptEvent of(ExitEvent event) {
        return new KeptEvent(
                EventKey.of(event),
                PublishEventsRequest.newBuilder().setExit(event).build().toByteString());
    }

    /** Returns the message that carries it to an aggregator. */
    PublishEventsRequest message() throws InvalidProtocolBufferException {
        return EventKey.isExit(event)
                ? PublishEventsRequest.parseFrom(event)
                : PublishEventsRequest.newBuilder()
                        .setEvent(OomKillEvent.parseFrom(event))
                        .build();
    }
}
