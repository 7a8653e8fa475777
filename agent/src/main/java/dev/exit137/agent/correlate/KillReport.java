package dev.exit137.agent.correlate;

import dev.exit137.agent.cgroup.AfterKillReader;
import dev.exit137.oomreport.dump.RawReport;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.OomKillEvent;
import java.util.Optional;

/**
 * What the agent-epoll thread hands to the agent-worker thread: an event as the kernel's evidence tells it, the cgroup's
 * files as they were read, and the long blocks of the report as they were printed.
 *
 * @param sampled the memory of the incident as it was read before the kill, in place of the kernel's own block
 */
public record KillReport(
    OomKillEvent event,
    Optional<AfterKillReader.Raw> afterKill,
    Optional<RawReport> blocks,
    Optional<Incident> sampled) {

  /** The same kill, better known. */
  KillReport revised(OomKillEvent.Builder better) {
    return new KillReport(better.setRevision(event.getRevision() + 1).build(), afterKill, blocks, sampled);
  }

  /** The same kill with the blocks of its report, which came later than its counter. */
  KillReport withBlocks(Optional<RawReport> ofItsReport) {
    return new KillReport(event, afterKill, ofItsReport, sampled);
  }

  /** Bytes of text that wait to be read. */
  public int blocksLength() {
    return blocks.map(RawReport::length).orElse(0);
  }
}
