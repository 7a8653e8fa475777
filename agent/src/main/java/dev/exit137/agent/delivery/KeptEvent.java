package dev.exit137.agent.delivery;

import com.google.protobuf.ByteString;
import dev.exit137.agent.delivery.spool.Position;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A serialized event, and the records of the spool that are done when it is acknowledged. Agent-worker thread. */
final class KeptEvent {
  final EventKey key;
  final ByteString event;
  /** Its own record; null while it is not on the disk. */
  @Nullable Position record;
  /** Records that were read, of this event in this and older revisions. */
  final List<Position> read = new ArrayList<>(1);

  KeptEvent(EventKey key, ByteString event) {
    this.key = key;
    this.event = event;
  }

  String id() {
    return key.id();
  }
}
