package dev.exit137.agent.correlate;

import dev.exit137.agent.cgroup.AfterKillReader;
import dev.exit137.proto.v1.OomKillEvent;
import java.util.Optional;

/**
 * What the agent-epoll thread hands to the agent-worker thread: an event as the kernel's evidence tells it, and the
 * cgroup's files as they were read.
 */
public record KillReport(OomKillEvent event, Optional<AfterKillReader.Raw> afterKill) {

  /** The same kill, better known. */
  KillReport revised(OomKillEvent.Builder better) {
    return new KillReport(better.setRevision(event.getRevision() + 1).build(), afterKill);
  }
}
