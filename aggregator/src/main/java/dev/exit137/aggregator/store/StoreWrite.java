package dev.exit137.aggregator.store;

import dev.exit137.proto.v1.AgentStatus;
import java.time.Instant;
import java.util.List;

/** A message of an agent that is to be stored. */
public sealed interface StoreWrite {
    /** Name of the node of the message. */
    String node();

    /** When the aggregator received it. */
    Instant receivedAt();

    /** Gets the outcome. */
    Listener listener();

    /** Size on the wire, bytes. */
    int bytes();

    /**
     * An event to store, unless the store has it in this revision or a higher one.
     *
     * @param facts what the columns hold of it
     * @param body the event's bytes, which are stored
     */
    record Event(EventFacts facts, byte[] body, Instant receivedAt, Listener listener) implements StoreWrite {
        @Override
        public String node() {
            return facts.node();
        }

        @Override
        public int bytes() {
            return body.length;
        }
    }

    /** A status that replaces the node's last one. */
    record Status(AgentStatus status, Instant receivedAt, Listener listener) implements StoreWrite {
        @Override
        public String node() {
            return status.getNode().getName();
        }

        @Override
        public int bytes() {
            return status.getSerializedSize();
        }
    }

    /** Called on the store's writer thread, so it must not block. */
    interface Listener {
        /** These writes, in the order of their submission, are on the disk. */
        void committed(List<StoreWrite> writes);

        /** None of these writes was stored. */
        void failed(List<StoreWrite> writes, Exception cause);
    }
}
