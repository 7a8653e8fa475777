package dev.exit137.agent.delivery;

import dev.exit137.proto.v1.AgentStatus;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * The state of the agent at one moment.
 *
 * @param status as it is sent to aggregators
 * @param spoolBytes what the spool's files take
 * @param awaySince since when no aggregator takes events; null while one does
 */
public record AgentState(
        AgentStatus status, long spoolBytes, @Nullable Instant awaySince) {}
