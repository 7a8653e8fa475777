package dev.exit137.agent.correlate;

import dev.exit137.agent.cgroup.Cgroup;
import dev.exit137.oomreport.event.Attribution;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The cgroup of a kill, as this node has it.
 *
 * @param attribution the part of it that goes into the event
 * @param cgroup the cgroup itself, live or recently removed; null where only its path is known, or nothing
 * @param countedBy the cgroup with the counter that counted the kill: {@code cgroup}, or its nearest ancestor that is
 *     left; null where no counter shows the kill
 */
record CgroupAttribution(
        Attribution attribution,
        @Nullable Cgroup cgroup,
        @Nullable Cgroup countedBy) {
    static final CgroupAttribution UNKNOWN = new CgroupAttribution(Attribution.UNKNOWN, null, null);

    CgroupAttribution(
            String path,
            @Nullable Cgroup cgroup,
            @Nullable Cgroup countedBy,
            List<String> candidates,
            List<Evidence> sources) {
        this(new Attribution(path, candidates, sources), cgroup, countedBy);
    }

    static CgroupAttribution ambiguous(List<String> candidates) {
        return new CgroupAttribution("", null, null, List.copyOf(candidates), List.of());
    }

    String path() {
        return attribution.path();
    }

    List<String> candidates() {
        return attribution.candidates();
    }

    boolean isKnown() {
        return attribution.isKnown();
    }

    /**
     * Whether {@code cgroup} is certainly the victim's, and not a later one at the same path: its counter, where it has
     * one, shows the kill.
     */
    boolean isOfThisVeryCgroup() {
        return cgroup != null && (countedBy != null || !cgroup.hasCounters());
    }

    /** The victim's own cgroup; null where it is not certain. */
    @Nullable
    Cgroup certainCgroup() {
        return isOfThisVeryCgroup() ? cgroup : null;
    }

    /** Adds the kill to the accounts of the cgroup that counted it. */
    void account() {
        if (countedBy == null) {
            return;
        }
        if (countedBy == cgroup) {
            countedBy.account(1);
        } else {
            countedBy.accountTree(1);
        }
    }
}
