package dev.exit137.agent.report;

import dev.exit137.agent.cgroup.AfterKillReader;
import dev.exit137.agent.cgroup.CgroupPath;
import dev.exit137.agent.correlate.KillReport;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.OomKillEvent;

/** Completes an event with what needs no haste: the cgroup's files, and what its path says. Agent-worker thread. */
final class OomEventMapper {
  private OomEventMapper() {}

  static OomKillEvent map(KillReport report) {
    OomKillEvent.Builder event = report.event().toBuilder();
    report.afterKill().map(AfterKillReader::parse).ifPresent(event::setAfterKill);
    if (!event.getCgroupPath().isEmpty()) {
      CgroupPath path = CgroupPath.parse(event.getCgroupPath());
      event.setUnit(path.unit());
      if (path.container().isPresent() || !path.podUid().isEmpty()) {
        Container.Builder container = event.getContainerBuilder().setQosClass(path.qosClass());
        path.container().ifPresent(ref -> container.setRuntime(ref.runtime()).setId(ref.id()));
        if (!path.podUid().isEmpty()) {
          container.getPodBuilder().setUid(path.podUid());
        }
      }
    }
    return event.build();
  }
}
