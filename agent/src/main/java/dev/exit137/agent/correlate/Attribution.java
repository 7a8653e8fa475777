package dev.exit137.agent.correlate;

import dev.exit137.agent.cgroup.Cgroup;
import dev.exit137.agent.incident.Incident;
import dev.exit137.agent.kmsg.OomLine;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import java.util.List;

/**
 * Which cgroup a kill belongs to, and what says so.
 *
 * @param path the victim's cgroup; empty where it is not certain
 * @param cgroup the cgroup itself, live or lately removed; null where only its path is known, or nothing
 * @param countedBy the cgroup whose counter counted the kill: {@code cgroup}, or the nearest cgroup above it that is
 *     left; null where no counter shows it
 * @param candidates the cgroups that fit, where several do, or {@link Surplus#UNSEEN}
 * @param sources what says so
 */
public record Attribution(
    String path, Cgroup cgroup, Cgroup countedBy, List<String> candidates, List<Evidence> sources) {

  static final Attribution UNKNOWN = new Attribution("", null, null, List.of(), List.of());

  /** Where no cgroup can be watched, the kernel's word is all there is. */
  public static Attribution ofSummary(Incident incident, OomLine killed) {
    return incident.isChosen(killed)
        ? new Attribution(incident.taskMemcg().toString(), null, null, List.of(), List.of(Evidence.KMSG_SUMMARY))
        : UNKNOWN;
  }

  static Attribution ambiguous(List<String> candidates) {
    return new Attribution("", null, null, List.copyOf(candidates), List.of());
  }

  boolean isKnown() {
    return !path.isEmpty();
  }

  /**
   * Whether {@code cgroup} surely is the victim's, and not one that was made later under the same path: its counter, where
   * it has one, shows the kill.
   */
  boolean isOfThisVeryCgroup() {
    return cgroup != null && (countedBy != null || !cgroup.hasCounters());
  }

  /** The victim's very cgroup; null where it is not known for certain. */
  Cgroup certainCgroup() {
    return isOfThisVeryCgroup() ? cgroup : null;
  }

  /** Enters the kill into the books of the cgroup that counted it. */
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
