package dev.exit137.agent.cgroup;

import dev.exit137.agent.linux.Sys;
import dev.exit137.proto.v1.Incident;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One memory cgroup, known by its inode: the same path made again is another cgroup. Holds what its kill counters said
 * when they were last read, and how many of those kills are accounted for by an event.
 *
 * <p>A counted kill that no event accounts for yet is a <em>surplus</em>. Owned by the agent-epoll thread.
 */
public final class Cgroup {
  /** The kernel counts an OOM before it kills, and may have to print long reports in between. */
  private static final long OOM_IS_NEW_NANOS = 30_000_000_000L;

  private final long inode;
  private final String path;
  private final @Nullable Cgroup parent;
  private final Map<String, Cgroup> children = new HashMap<>(2);
  private int dirFd;
  private int[] watches = {};
  private boolean interior;
  private boolean counted;
  private boolean watched;

  private long localKills;
  private long treeKills;
  private long ooms;
  private long localAccounted;
  private long treeAccounted;
  private long oomsAccounted;
  private long oomsMovedAtNanos;

  private long removedAtNanos;
  private long pidsReadAtNanos = Long.MIN_VALUE;
  private long sampledAtNanos;
  private @Nullable MemorySnapshot snapshot;

  /** @param dirFd a descriptor of the directory, which this cgroup closes */
  Cgroup(long inode, String path, @Nullable Cgroup parent, int dirFd) {
    this.inode = inode;
    this.path = path;
    this.parent = parent;
    this.dirFd = dirFd;
  }

  /** Inode of the directory; unique among all cgroups of one boot. */
  public long inode() {
    return inode;
  }

  /** From the root of the hierarchy as the kernel's log spells it: {@code /a/b}. */
  public String path() {
    return path;
  }

  /** The cgroup above; null for the root. */
  public @Nullable Cgroup parent() {
    return parent;
  }

  Map<String, Cgroup> children() {
    return children;
  }

  /** A descriptor of the directory, or -1 once it was closed. */
  int dirFd() {
    return dirFd;
  }

  /** Whether the directory is gone. */
  public boolean isRemoved() {
    return dirFd < 0;
  }

  /** CLOCK_MONOTONIC, nanoseconds, when the removal was seen. */
  public long removedAtNanos() {
    return removedAtNanos;
  }

  /** Watch descriptors of inotify that are this cgroup's. */
  int[] watches() {
    return watches;
  }

  void watchAdded(int watch) {
    watches = Arrays.copyOf(watches, watches.length + 1);
    watches[watches.length - 1] = watch;
  }

  void markRemoved(long nowNanos) {
    closeDirectory();
    removedAtNanos = nowNanos;
  }

  /** Closes the descriptor, once; there is none afterwards. */
  void closeDirectory() {
    Sys.close(dirFd);
    dirFd = -1;
  }

  /** Whether it has, or ever had, a cgroup below it: then memory.events counts more than memory.events.local. */
  public boolean isInterior() {
    return interior;
  }

  void markInterior() {
    interior = true;
  }

  /** Whether its counters could ever be read; false for the root of cgroup v2 and where memory is not enabled. */
  public boolean hasCounters() {
    return counted;
  }

  void countersRead(long localKills, long treeKills, long ooms, long nowNanos) {
    if (localKills < this.localKills || treeKills < this.treeKills || ooms < this.ooms) {
      // The memory controller was turned off and on again: it counts from zero.
      restore(0, 0, 0);
      this.ooms = 0;
    }
    counted = true;
    this.localKills = localKills;
    this.treeKills = treeKills;
    if (nowNanos - oomsMovedAtNanos > OOM_IS_NEW_NANOS) {
      oomsAccounted = Math.max(oomsAccounted, this.ooms);
    }
    if (ooms != this.ooms) {
      this.ooms = ooms;
      oomsMovedAtNanos = nowNanos;
    }
  }

  /**
   * Kills counted in this very cgroup that no event accounts for; negative when a record was read before the counter.
   */
  public long surplus() {
    return localKills - localAccounted;
  }

  /** The same for this cgroup and all below it, those that have vanished included. */
  long treeSurplus() {
    return treeKills - treeAccounted;
  }

  /** Number of kills here that events account for: the next one's ordinal is one more. */
  public long accountedKills() {
    return localAccounted;
  }

  /** The same for this cgroup and all below it. */
  public long accountedTreeKills() {
    return treeAccounted;
  }

  /**
   * OOMs counted lately at this cgroup's own limit, and not yet taken as evidence. They can be more than were killed
   * for: every thread that finds no memory counts one, and all but the first may find that there is some again.
   */
  public long newOoms() {
    return ooms - oomsAccounted;
  }

  /** Takes one of the new OOMs as evidence for an incident. */
  public void accountOom() {
    oomsAccounted++;
  }

  /** An OOM that was taken is evidence for an incident that is still to be told, after all. */
  public void returnOom() {
    oomsAccounted = Math.max(0, oomsAccounted - 1);
  }

  /** An event accounts for {@code kills} of this cgroup. */
  public void account(long kills) {
    localAccounted += kills;
    accountTree(kills);
  }

  /** An event accounts for {@code kills} somewhere below this cgroup, in a cgroup that has vanished. */
  public void accountTree(long kills) {
    for (Cgroup at = this; at != null; at = at.parent) {
      at.treeAccounted += kills;
      at.snapshot = null;
    }
  }

  /** Takes every kill counted so far, and no more, as accounted for. */
  void absorbKills() {
    if (localAccounted != localKills || treeAccounted != treeKills) {
      snapshot = null;
    }
    localAccounted = localKills;
    treeAccounted = treeKills;
  }

  /** The same for OOMs, those included whose kill is still to come. */
  void absorbOoms() {
    oomsAccounted = ooms;
  }

  void restore(long localAccounted, long treeAccounted, long oomsAccounted) {
    this.localAccounted = localAccounted;
    this.treeAccounted = treeAccounted;
    this.oomsAccounted = oomsAccounted;
  }

  long accountedOoms() {
    return oomsAccounted;
  }

  /**
   * Kills below this cgroup that were counted and whose own cgroup has vanished. Right only when this cgroup's counters
   * were read before its children's: the other order counts a kill in between twice.
   */
  public long vanishedSurplus() {
    if (!interior || !counted) {
      return 0;
    }
    long surplus = treeSurplus() - surplus();
    for (Cgroup child : children.values()) {
      surplus -= child.treeSurplus();
    }
    return surplus;
  }

  /** Marks it as watched; returns whether it was not so before. */
  boolean markWatched() {
    boolean wasWatched = watched;
    watched = true;
    return !wasWatched;
  }

  void markUnwatched() {
    watched = false;
  }

  long pidsReadAtNanos() {
    return pidsReadAtNanos;
  }

  void pidsRead(long nowNanos) {
    pidsReadAtNanos = nowNanos;
  }

  /**
   * Where its memory was before a kill that no event accounts for yet, as the memory of that kill's incident. Empty where
   * it was not read since the kill before.
   */
  public Optional<Incident> sampledBefore(long killedAtNanos) {
    return snapshot == null ? Optional.empty() : snapshot.before(killedAtNanos);
  }

  /** Replaces the snapshot, and returns the one before; null for none. */
  @Nullable MemorySnapshot swapSnapshot(@Nullable MemorySnapshot newer) {
    MemorySnapshot before = snapshot;
    snapshot = newer;
    return before;
  }

  /** CLOCK_MONOTONIC, nanoseconds, when it was last tried to read where its memory is. */
  long sampledAtNanos() {
    return sampledAtNanos;
  }

  void sampled(long nowNanos) {
    sampledAtNanos = nowNanos;
  }

  /** This cgroup, or the first above it that is not removed. */
  public Cgroup nearestLive() {
    Cgroup at = this;
    while (at.isRemoved() && at.parent != null) {
      at = at.parent;
    }
    return at;
  }

  /** This cgroup, or the one above it, that has this path; null for none. */
  public @Nullable Cgroup atOrAbove(String wanted) {
    Cgroup at = this;
    while (at != null && !at.path.equals(wanted)) {
      at = at.parent;
    }
    return at;
  }

  /** Whether this cgroup is {@code other} or below it. */
  public boolean isAtOrBelow(Cgroup other) {
    for (Cgroup at = this; at != null; at = at.parent) {
      if (at == other) {
        return true;
      }
    }
    return false;
  }

  @Override
  public String toString() {
    return path + " (inode " + inode + ")";
  }
}
