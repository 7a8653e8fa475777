package dev.exit137.aggregator.store;

import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.AgentStatus;

/**
 * What the store knows of an agent.
 *
 * @param status its last status; only `node.name` is set when it has sent events alone
 * @param lastSeen when it was last heard of
 */
public record StoredNode(AgentStatus status, Timestamp lastSeen) {}
