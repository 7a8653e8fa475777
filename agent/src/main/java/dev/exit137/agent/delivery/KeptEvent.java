package dev.exit137.agent.delivery;

import com.google.protobuf.ByteString;
import dev.exit137.agent.delivery.spool.Position;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A serialized event, and the spool records that are done when it is acknowledged. Agent-worker thread. */
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
}
