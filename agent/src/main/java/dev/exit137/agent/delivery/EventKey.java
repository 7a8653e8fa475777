package dev.exit137.agent.delivery;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.WireFormat;
import dev.exit137.proto.v1.OomKillEvent;
import java.io.IOException;
import java.util.Optional;

/** Identifies one revision of an event. */
record EventKey(String id, int revision) {
    private static final int ID = OomKillEvent.EVENT_ID_FIELD_NUMBER << 3 | WireFormat.WIRETYPE_LENGTH_DELIMITED;
    private static final int REVISION = OomKillEvent.REVISION_FIELD_NUMBER << 3 | WireFormat.WIRETYPE_VARINT;

    static EventKey of(OomKillEvent event) {
        return new EventKey(event.getEventId(), event.getRevision());
    }

    /** Reads the key of a serialized event and no other field: its fields come first. Empty if the bytes are no event. */
    static Optional<EventKey> find(ByteString event) {
        String id = "";
        int revision = 0;
        CodedInputStream in = event.newCodedInput();
        try {
            for (int tag = in.readTag(); tag == ID || tag == REVISION; tag = in.readTag()) {
                if (tag == ID) {
                    id = in.readStringRequireUtf8();
                } else {
                    revision = in.readUInt32();
                }
            }
        } catch (IOException e) {
            return Optional.empty();
        }
        return id.isEmpty() ? Optional.empty() : Optional.of(new EventKey(id, revision));
    }
}
