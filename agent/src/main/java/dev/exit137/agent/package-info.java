/**
 * The agent of one node. {@link dev.exit137.agent.Agent} starts its parts, {@link dev.exit137.agent.EvidenceLoop} runs
 * the agent-epoll thread, and each package below is one step on the way from the kernel to the aggregator: {@code kmsg}
 * and {@code cgroup}, then {@code correlate}, then {@code delivery}.
 */
@NullMarked
package dev.exit137.agent;

import org.jspecify.annotations.NullMarked;
