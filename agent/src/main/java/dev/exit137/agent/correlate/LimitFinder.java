package dev.exit137.agent.correlate;

import dev.exit137.agent.cgroup.AfterKillReader;
import dev.exit137.agent.cgroup.Cgroup;
import dev.exit137.agent.cgroup.CgroupWatcher;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Finds the cgroup whose limit was hit. Where the kernel's own line names it, its {@code oom} counter is a second
 * source; where no line does, because the kernel limits their rate, the only cgroup at or above the victim's whose
 * counter moved is it. The kernel counts an OOM before it kills anything, so at the kill's record the counter has
 * moved. cgroup v1 counts no OOMs: there the line is all there is.
 *
 * <p>Owned by the agent-epoll thread.
 */
final class LimitFinder {
  private final CgroupWatcher watcher;
  private final AfterKillReader files;

  LimitFinder(CgroupWatcher watcher, AfterKillReader files) {
    this.watcher = watcher;
    this.files = files;
  }

  /**
   * Adds to a limit of a memory cgroup what the counters and the files say of it.
   *
   * @param limit what the records say
   * @param victims cgroup of the victim, live or lately removed, and none made later under its path; null where that is
   *     not certain
   * @param byCounter whether the counters alone may name the cgroup: what was counted before anybody watched is
   *     absorbed
   * @return the sources that say so; empty where no counter does
   */
  List<Evidence> find(Limit.Builder limit, @Nullable Cgroup victims, boolean byCounter) {
    String named = limit.getCgroup();
    Cgroup hit = null;
    List<Cgroup> moved = new ArrayList<>();
    for (Cgroup at = victims; at != null; at = at.parent()) {
      watcher.refresh(at);
      if (at.newOoms() > 0) {
        moved.add(at);
      }
      if (at.path().equals(named)) {
        hit = at;
      }
    }
    if (named.isEmpty()) {
      hit = byCounter && moved.size() == 1 ? moved.getFirst() : null;
    } else if (hit == null) {
      hit = atPath(named);
    } else if (hit.newOoms() <= 0 && hit.hasCounters() && !hit.isRemoved()) {
      moved.forEach(other -> limit.addContradictedBy(other.path()));
    }
    if (hit == null) {
      return List.of();
    }
    limit.setCgroup(hit.path());
    if (!limit.hasLimitBytes()) {
      files.readLimits(hit, limit);
    }
    if (hit.newOoms() <= 0) {
      return List.of();
    }
    hit.accountOom();
    return List.of(Evidence.MEMORY_EVENTS_OOM);
  }

  /** The cgroup at a path that the kernel printed, unless it may be one that was made later. */
  private @Nullable Cgroup atPath(String path) {
    Cgroup cgroup = watcher.tree().find(path);
    if (cgroup == null) {
      return null;
    }
    watcher.refresh(cgroup);
    return cgroup.newOoms() > 0 || !watcher.isV2() ? cgroup : null;
  }

  /** An event that is told anew, from better evidence, gives back the count that it took. */
  void giveBack(KillReport report) {
    if (report.event().getEvidenceList().contains(Evidence.MEMORY_EVENTS_OOM)) {
      Cgroup hit = watcher.tree().find(report.event().getIncident().getLimit().getCgroup());
      if (hit != null) {
        hit.returnOom();
      }
    }
  }
}
