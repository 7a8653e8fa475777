package dev.exit137.oomreport.event;

import dev.exit137.oomreport.incident.OomIncident;
import dev.exit137.oomreport.parse.OomLine;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import java.util.List;

/**
 * The cgroup of a kill, and the evidence for it.
 *
 * @param path the victim's cgroup; empty where it is not certain
 * @param candidates the cgroups that fit, where several do; {@link #UNSEEN} means one of unknown path
 * @param sources the evidence
 */
public record Attribution(String path, List<String> candidates, List<Evidence> sources) {
    /** In place of the path of a cgroup that was created and removed between two scans. */
    public static final String UNSEEN = "";

    /** No evidence names the cgroup. */
    public static final Attribution UNKNOWN = new Attribution("", List.of(), List.of());

    /**
     * The cgroup of the kernel's summary line. That line is about the chosen process, and no other process of its group.
     */
    public static Attribution ofSummary(OomIncident incident, OomLine killed) {
        return incident.isChosen(killed)
                ? new Attribution(incident.taskMemcg().toString(), List.of(), List.of(Evidence.KMSG_SUMMARY))
                : UNKNOWN;
    }

    /** Whether the path is certain. */
    public boolean isKnown() {
        return !path.isEmpty();
    }
}
