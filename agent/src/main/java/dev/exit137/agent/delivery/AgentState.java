package dev.exit137.agent.delivery;

import dev.exit137.proto.v1.AgentStatus;
import java.time.Instant;
import java.util.Optional;

/**
 * The state of the agent at one moment.
 *
 * @param status as it is sent to aggregators
 * @param spoolBytes size of the spool's files, bytes
 * @param awaySince the time since which no aggregator takes events; empty while one does
 */
public record AgentState(AgentStatus status, long spoolBytes, Optional<Instant> awaySince) {}
