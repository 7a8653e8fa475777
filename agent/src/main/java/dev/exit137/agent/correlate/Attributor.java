package dev.exit137.agent.correlate;

import dev.exit137.agent.cgroup.Cgroup;
import dev.exit137.agent.cgroup.CgroupWatcher;
import dev.exit137.agent.correlate.SurplusBook.CountedOnly;
import dev.exit137.agent.linux.ProcessFiles;
import dev.exit137.oomreport.incident.OomIncident;
import dev.exit137.oomreport.parse.OomLine;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Finds the cgroup of a killed process. The sources, in this order: the kernel's own summary line; the index of
 * processes seen before the kill; /proc; the only counter that moved. All but the first must agree with a counter,
 * where one is left, because the kernel may have reused the pid. The kernel counts a kill before it prints it, so a
 * counter without a kill is proof against.
 *
 * <p>Owned by the agent-epoll thread.
 */
final class Attributor {
    private final CgroupWatcher watcher;
    private final ProcessFiles processes;
    private final KillBalance balance;
    private final SurplusBook surplusBook;

    Attributor(CgroupWatcher watcher, ProcessFiles processes, KillBalance balance, SurplusBook surplusBook) {
        this.watcher = watcher;
        this.processes = processes;
        this.balance = balance;
        this.surplusBook = surplusBook;
    }

    /**
     * @param killedAtNanos CLOCK_MONOTONIC at the kill
     * @param live whether the record was read as it was printed; the processes of an old one are gone, their pids may be
     *     reused
     * @param first whether there is no baseline yet: the counters still hold kills from before the ring
     */
    CgroupAttribution attribute(OomIncident incident, OomLine killed, long killedAtNanos, boolean live, boolean first) {
        watcher.drain();
        if (incident.isChosen(killed)) {
            return fromKernel(incident.taskMemcg().toString());
        }
        if (live) {
            CgroupAttribution indexed = fromIndex(killed.pid(), killedAtNanos);
            if (indexed != null) {
                return indexed;
            }
            CgroupAttribution running = fromProc(killed);
            if (running != null) {
                return running;
            }
        }
        return first ? CgroupAttribution.UNKNOWN : fromCounters(killed.pid(), live);
    }

    /** The kernel names the path. Still open: which cgroup of that path it is, and which counter counted the kill. */
    private CgroupAttribution fromKernel(String path) {
        List<Evidence> sources = new ArrayList<>(List.of(Evidence.KMSG_SUMMARY));
        Cgroup cgroup = watcher.tree().find(path);
        Cgroup countedBy = null;
        if (cgroup != null) {
            countedBy = countedBy(cgroup);
        }
        if (countedBy == null) {
            // It is gone, or was created again at the same path: the kill is in the tree count of its nearest live
            // ancestor.
            Cgroup removed = lastRemoved(path);
            Cgroup above = watcher.tree().deepest(path.substring(0, path.lastIndexOf('/')));
            if (removed != null) {
                cgroup = removed;
                countedBy = removed.surplus() > 0 || countsVanished(removed) ? removed : null;
            } else if (above != null) {
                watcher.hadCgroupBelow(above);
                if (vanishedSurplus(above) > 0) {
                    cgroup = null;
                    countedBy = above;
                }
            }
        }
        if (countedBy != null) {
            sources.add(Evidence.MEMORY_EVENTS);
        }
        return new CgroupAttribution(path, cgroup, countedBy, List.of(), sources);
    }

    private @Nullable CgroupAttribution fromIndex(long pid, long killedAtNanos) {
        Cgroup cgroup = watcher.pids().cgroupOf((int) pid);
        if (cgroup == null) {
            return null;
        }
        if (!cgroup.isRemoved()) {
            return agreeing(cgroup);
        }
        // After the removal the pid may belong to another process.
        if (killedAtNanos > cgroup.removedAtNanos()) {
            return null;
        }
        if (cgroup.surplus() > 0 || countsVanished(cgroup)) {
            return new CgroupAttribution(
                    cgroup.path(), cgroup, cgroup, List.of(), List.of(Evidence.PROC, Evidence.MEMORY_EVENTS));
        }
        // No counter is left that could agree or disagree.
        return watcher.isV2() && cgroup.nearestLive().hasCounters()
                ? null
                : new CgroupAttribution(cgroup.path(), cgroup, cgroup, List.of(), List.of(Evidence.PROC));
    }

    private @Nullable CgroupAttribution fromProc(OomLine killed) {
        return processes
                .comm(killed.pid())
                .filter(killed.comm()::contentEquals)
                .flatMap(same -> processes.cgroupPath(killed.pid()))
                .map(watcher.tree()::find)
                .map(this::agreeing)
                .orElse(null);
    }

    private @Nullable CgroupAttribution agreeing(Cgroup cgroup) {
        return countedBy(cgroup) == null
                ? null
                : new CgroupAttribution(
                        cgroup.path(), cgroup, cgroup, List.of(), List.of(Evidence.PROC, Evidence.MEMORY_EVENTS));
    }

    /**
     * The only counter that moved names the cgroup: it holds all kills that the node counted and no record reported, this
     * one included, and none of an earlier record.
     */
    private CgroupAttribution fromCounters(long pid, boolean live) {
        watcher.refreshAll();
        List<Surplus> surpluses = Surplus.find(watcher);
        // A record that is read late may also be of a kill that was reported without it.
        Collection<CountedOnly> reported = live ? List.of() : surplusBook.countedOnly;
        if (surpluses.isEmpty() && reported.isEmpty()) {
            return CgroupAttribution.UNKNOWN;
        }
        balance.read();
        if (surpluses.isEmpty()) {
            return balance.missing() > 0 ? CgroupAttribution.UNKNOWN : ofReported(reported, pid);
        }
        Surplus first = surpluses.getFirst();
        boolean allInOne = surpluses.stream().allMatch(first::equals);
        boolean noneElsewhere = balance.vmstat() == KillBalance.UNKNOWN || surpluses.size() == balance.missing();
        if (allInOne
                && noneElsewhere
                && reported.isEmpty()
                && first.candidates().stream().noneMatch(surplusBook::isClaimed)) {
            List<Evidence> counter = List.of(Evidence.MEMORY_EVENTS);
            Cgroup cgroup = first.cgroup();
            return cgroup == null
                    // It stays open which removed cgroup it was; the counter that counted the kill is certain.
                    ? new CgroupAttribution("", null, first.countedBy(), first.candidates(), counter)
                    : new CgroupAttribution(cgroup.path(), cgroup, cgroup, List.of(), counter);
        }
        return CgroupAttribution.ambiguous(Surplus.candidatesOf(surpluses));
    }

    /** No kill is missing, so the record belongs to a kill that was reported without one. */
    private CgroupAttribution ofReported(Collection<CountedOnly> reported, long pid) {
        List<Cgroup> cgroups =
                reported.stream().map(CountedOnly::countedBy).distinct().toList();
        Cgroup indexed = watcher.pids().cgroupOf((int) pid);
        if (!reported.stream().allMatch(CountedOnly::isCertain)) {
            return CgroupAttribution.UNKNOWN;
        }
        if (cgroups.size() > 1 && !cgroups.contains(indexed)) {
            return CgroupAttribution.ambiguous(
                    cgroups.stream().map(Cgroup::path).toList());
        }
        Cgroup cgroup = cgroups.size() == 1 ? cgroups.getFirst() : Objects.requireNonNull(indexed);
        return new CgroupAttribution(cgroup.path(), cgroup, null, List.of(), List.of(Evidence.MEMORY_EVENTS));
    }

    static boolean isBelow(String path, String ancestor) {
        return path.equals(ancestor) || ancestor.equals("/") || path.startsWith(ancestor + "/");
    }

    /** The cgroup, if its counter, read now, shows an unaccounted kill; else null. */
    private @Nullable Cgroup countedBy(Cgroup cgroup) {
        watcher.refresh(cgroup);
        return cgroup.surplus() > 0 ? cgroup : null;
    }

    /** Whether the nearest live ancestor of a removed cgroup still counts a kill in a removed cgroup. */
    private boolean countsVanished(Cgroup removed) {
        return vanishedSurplus(removed.nearestLive()) > 0;
    }

    private long vanishedSurplus(Cgroup above) {
        watcher.refreshWithChildren(above);
        return above.vanishedSurplus();
    }

    private @Nullable Cgroup lastRemoved(String path) {
        Cgroup last = null;
        for (Cgroup cgroup : watcher.tree().recentlyRemoved()) {
            if (cgroup.path().equals(path)) {
                last = cgroup;
            }
        }
        return last;
    }
}
