package dev.exit137.agent.correlate;

import dev.exit137.agent.cgroup.AfterKillReader;
import dev.exit137.oomreport.dump.RawReport;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.OomKillEvent;
import java.util.Optional;

/**
 * The data that the agent-epoll thread hands to the agent-worker thread: an event with the kernel's evidence, the
 * cgroup's files as read, and the long blocks of the report as printed.
 *
 * @param sampled the memory of the incident, read before the kill, in place of the kernel's own block
 */
public record KillReport(
    OomKillEvent event,
    Optional<AfterKillReader.Raw> afterKill,
    Optional<RawReport> blocks,
    Optional<Incident> sampled) {

  /** The same kill with a better event. */
  KillReport revised(OomKillEvent.Builder better) {
    return new KillReport(better.setRevision(event.getRevision() + 1).build(), afterKill, blocks, sampled);
  }

  /** The same kill with the blocks of its report, which came later than its counter. */
  KillReport withBlocks(Optional<RawReport> ofItsReport) {
    return new KillReport(event, afterKill, ofItsReport, sampled);
  }

  /** Bytes of text that are still to be read. */
  public int blocksLength() {
    return blocks.map(RawReport::length).orElse(0);
  }
}
