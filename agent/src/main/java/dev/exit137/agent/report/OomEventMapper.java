package dev.exit137.agent.report;

import dev.exit137.agent.cgroup.AfterKillReader;
import dev.exit137.agent.cgroup.CgroupPath;
import dev.exit137.agent.correlate.EventFactory;
import dev.exit137.agent.correlate.KillReport;
import dev.exit137.agent.explain.Explainer;
import dev.exit137.agent.sys.Sys;
import dev.exit137.proto.v1.OomKillEvent;
import java.util.OptionalLong;

/** Completes an event with what needs no haste: the report's blocks, the cgroup's files, and words. Agent-worker thread. */
final class OomEventMapper {
  private OomEventMapper() {}

  static OomKillEvent map(KillReport report) {
    OomKillEvent.Builder event = report.event().toBuilder();
    report
        .blocks()
        .map(raw -> raw.blocks(OptionalLong.of(Sys.pageSizeBytes())))
        .ifPresent(blocks -> EventFactory.addBlocks(event, blocks));
    report.afterKill().map(AfterKillReader::parse).ifPresent(event::setAfterKill);
    CgroupPath.describe(event);
    Explainer.explain(event);
    return event.build();
  }
}
