package dev.exit137.agent.correlate;

import dev.exit137.agent.cgroup.Cgroup;
import dev.exit137.oomreport.event.Attribution;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The cgroup that a kill belongs to, as this node has it.
 *
 * @param attribution the part of it that the event has
 * @param cgroup the cgroup itself, live or lately removed; null where only its path is known, or nothing
 * @param countedBy the cgroup whose counter counted the kill: {@code cgroup}, or the nearest cgroup above it that is
 *     left; null where no counter shows it
 */
record CgroupAttribution(Attribution attribution, @Nullable Cgroup cgroup, @Nullable Cgroup countedBy) {
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
   * Whether {@code cgroup} surely is the victim's, and not one that was made later under the same path: its counter, where
   * it has one, shows the kill.
   */
  boolean isOfThisVeryCgroup() {
    return cgroup != null && (countedBy != null || !cgroup.hasCounters());
  }

  /** The victim's very cgroup; null where it is not known for certain. */
  @Nullable Cgroup certainCgroup() {
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
