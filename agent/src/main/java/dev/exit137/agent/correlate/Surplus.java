package dev.exit137.agent.correlate;

import dev.exit137.agent.cgroup.Cgroup;
import dev.exit137.agent.cgroup.CgroupWatcher;
import dev.exit137.oomreport.event.Attribution;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One kill that a counter shows and no event accounts for.
 *
 * @param countedBy the cgroup with that counter
 * @param cgroup the cgroup of the kill; null where it is removed, and only the count of its ancestor is left
 * @param candidates the path of that cgroup, or the paths of the cgroups removed below {@code countedBy}
 */
record Surplus(Cgroup countedBy, @Nullable Cgroup cgroup, List<String> candidates) {
    /** Every unaccounted kill of every cgroup, live or recently removed, by the counters' last values. */
    static List<Surplus> find(CgroupWatcher watcher) {
        List<Surplus> surpluses = new ArrayList<>();
        watcher.tree().forEach(cgroup -> addOwn(cgroup, surpluses));
        Map<Cgroup, Long> explained = new HashMap<>();
        for (Cgroup removed : watcher.tree().recentlyRemoved()) {
            addOwn(removed, surpluses);
            if (removed.surplus() > 0) {
                explained.merge(removed.nearestLive(), removed.surplus(), Long::sum);
            }
        }
        Consumer<Cgroup> addVanished = cgroup -> {
            if (cgroup.vanishedSurplus() <= 0) {
                return;
            }
            watcher.refreshWithChildren(cgroup);
            List<String> vanished = vanishedBelow(watcher, cgroup);
            for (long i = cgroup.vanishedSurplus() - explained.getOrDefault(cgroup, 0L); i > 0; i--) {
                surpluses.add(new Surplus(cgroup, null, vanished));
            }
        };
        watcher.tree().forEach(addVanished);
        return surpluses;
    }

    private static void addOwn(Cgroup cgroup, List<Surplus> surpluses) {
        for (long i = cgroup.surplus(); i > 0; i--) {
            surpluses.add(new Surplus(cgroup, cgroup, List.of(cgroup.path())));
        }
    }

    private static List<String> vanishedBelow(CgroupWatcher watcher, Cgroup above) {
        List<String> paths = new ArrayList<>();
        for (Cgroup removed : watcher.tree().recentlyRemoved()) {
            if (removed.isAtOrBelow(above)) {
                paths.add(removed.path());
            }
        }
        return paths.isEmpty()
                ? List.of(Attribution.UNSEEN)
                : paths.stream().distinct().toList();
    }

    /** The paths of all candidates, without duplicates. */
    static List<String> candidatesOf(List<Surplus> surpluses) {
        return surpluses.stream()
                .flatMap(surplus -> surplus.candidates().stream())
                .distinct()
                .toList();
    }

    /** Marks the kill as accounted for by an event. */
    void account() {
        if (cgroup != null) {
            countedBy.account(1);
        } else {
            countedBy.accountTree(1);
        }
    }
}
