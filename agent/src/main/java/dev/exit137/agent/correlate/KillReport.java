package dev.exit137.agent.correlate;

import dev.exit137.agent.cgroup.AfterKillReader;
import dev.exit137.oomreport.dump.RawReport;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.OomKillEvent;
import org.jspecify.annotations.Nullable;

/**
 * The data that the agent-epoll thread hands to the agent-worker thread: an event with the kernel's evidence, the
 * cgroup's files as read, and the long blocks of the report as printed.
 *
 * @param afterKill null where they were not read
 * @param blocks null where there are none
 * @param sampled the memory of the incident as it was read before the kill, in place of the kernel's own block; null
 *     where it was not read
 */
public record KillReport(
        OomKillEvent event,
        AfterKillReader.@Nullable Raw afterKill,
        @Nullable RawReport blocks,
        @Nullable Incident sampled) {

    /** The same kill with a better event. */
    KillReport revised(OomKillEvent.Builder better) {
        return new KillReport(better.setRevision(event.getRevision() + 1).build(), afterKill, blocks, sampled);
    }

    /** The same kill with the blocks of its report, which came later than its counter. */
    KillReport withBlocks(@Nullable RawReport ofItsReport) {
        return new KillReport(event, afterKill, ofItsReport, sampled);
    }

    /** Bytes of text that are still to be read. */
    public int blocksLength() {
        return blocks == null ? 0 : blocks.length();
    }
}
