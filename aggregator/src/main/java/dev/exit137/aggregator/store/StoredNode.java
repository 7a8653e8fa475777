package dev.exit137.aggregator.store;

import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.AgentStatus;

/**
 * A node in the store, and its agent's state.
 *
 * @param status its last status; only {@code node.name} is set if it has sent only events
 * @param lastSeen time of its last message
 */
public record StoredNode(AgentStatus status, Timestamp lastSeen) {}
