package dev.exit137.agent.delivery;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.WireFormat;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.PublishEventsRequest;
import java.io.IOException;
import java.util.Optional;

/** Identifies one revision of an event. */
record EventKey(String id, int revision) {
    private static final int ID = OomKillEvent.EVENT_ID_FIELD_NUMBER << 3 | WireFormat.WIRETYPE_LENGTH_DELIMITED;
    private static final int REVISION = OomKillEvent.REVISION_FIELD_NUMBER << 3 | WireFormat.WIRETYPE_VARINT;

    /** Begins the bytes of a kept {@link PublishEventsRequest} with an exit; an OOM kill begins with its id. */
    private static final int EXIT = PublishEventsRequest.EXIT_FIELD_NUMBER << 3 | WireFormat.WIRETYPE_LENGTH_DELIMITED;

    static EventKey of(OomKillEvent event) {
        return new EventKey(event.getEventId(), event.getRevision());
    }

    static EventKey of(ExitEvent event) {
        return new EventKey(event.getEventId(), event.getRevision());
    }

    /** Whether these kept bytes are an exit's. */
    static boolean isExit(ByteString event) {
        return !event.isEmpty() && event.byteAt(0) == EXIT;
    }

    /**
     * Reads the key of a kept event and no other field: its fields come first, in every kind of event. Empty if the bytes
     * are no event.
     */
    static Optional<EventKey> find(ByteString event) {
        String id = "";
        int revision = 0;
        CodedInputStream in = event.newCodedInput();
        try {
            if (isExit(event)) {
                in.readTag();
                in.pushLimit(in.readRawVarint32());
            }
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
