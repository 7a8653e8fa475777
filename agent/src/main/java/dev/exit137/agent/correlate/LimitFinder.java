package dev.exit137.agent.correlate;

import dev.exit137.agent.cgroup.AfterKillReader;
import dev.exit137.agent.cgroup.Cgroup;
import dev.exit137.agent.cgroup.CgroupWatcher;
import dev.exit137.agent.cgroup.OwnLimit;
import dev.exit137.oomreport.event.CgroupPath;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Finds the cgroup at its limit. Where the kernel's own line names it, its {@code oom} counter is a second source. The
 * kernel limits the rate of that line. Without it, the cgroup is the only one at or above the victim's with a counter
 * that moved. The kernel counts an OOM before it kills anything, so at the kill's record the counter has moved. cgroup
 * v1 counts no OOMs: there the line is the only source, and without it the cgroup that was full is inferred.
 *
 * <p>Owned by the agent-epoll thread.
 */
final class LimitFinder {
    private final CgroupWatcher watcher;
    private final AfterKillReader files;
    private final OwnLimit own;

    LimitFinder(CgroupWatcher watcher, AfterKillReader files) {
        this.watcher = watcher;
        this.files = files;
        own = new OwnLimit(files);
    }

    /**
     * Adds the evidence of the counters and the files to the limit of a memory cgroup.
     *
     * @param limit the limit as the records have it
     * @param victims the victim's cgroup, live or recently removed, and not a later one at its path; null where that is
     *     not certain
     * @param victimBytes what the victim held; 0 where that is not known
     * @param byCounter whether the counters alone may name the cgroup; OOMs counted before the agent watched are absorbed
     * @return the sources that name the cgroup; empty where no counter does
     */
    List<Evidence> find(Limit.Builder limit, @Nullable Cgroup victims, long victimBytes, boolean byCounter) {
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
        if (named.isEmpty() && !watcher.isV2()) {
            hit = victims == null ? null : own.full(victims, victimBytes);
            limit.setInferred(hit != null);
        } else if (named.isEmpty()) {
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
        if (victims != null && CgroupPath.parse(hit.path()).owner() == Limit.Owner.POD) {
            Cgroup container = own.inPod(hit, victims, limit.getLimitBytes(), victimBytes);
            limit.setOwnerCgroup(container == null ? "" : container.path());
        }
        if (hit.newOoms() <= 0) {
            return List.of();
        }
        hit.accountOom();
        return List.of(Evidence.MEMORY_EVENTS_OOM);
    }

    /** The cgroup at a path that the kernel printed, unless it may be a later one. */
    private @Nullable Cgroup atPath(String path) {
        Cgroup cgroup = watcher.tree().find(path);
        if (cgroup == null) {
            return null;
        }
        watcher.refresh(cgroup);
        return cgroup.newOoms() > 0 || !watcher.isV2() ? cgroup : null;
    }

    /** Returns the OOM that an event used as evidence, before the event is made again from better evidence. */
    void giveBack(KillReport report) {
        if (report.event().getEvidenceList().contains(Evidence.MEMORY_EVENTS_OOM)) {
            Cgroup hit =
                    watcher.tree().find(report.event().getIncident().getLimit().getCgroup());
            if (hit != null) {
                hit.returnOom();
            }
        }
    }
}
