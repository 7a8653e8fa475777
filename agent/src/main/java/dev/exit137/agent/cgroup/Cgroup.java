package dev.exit137.agent.cgroup;

import dev.exit137.agent.linux.Descriptor;
import dev.exit137.proto.v1.Incident;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One memory cgroup, identified by its inode: a new directory at the same path is another cgroup. Holds the values of
 * its kill counters at the last reading, and the number of those kills that an event accounts for.
 *
 * <p>A counted kill that no event accounts for yet is a <em>surplus</em>. Owned by the agent-epoll thread.
 */
public final class Cgroup {
    /** The kernel counts an OOM before it kills, and may print long reports in between. */
    private static final long OOM_IS_NEW_NANOS = 30_000_000_000L;

    private final long inode;
    private final String path;
    private final @Nullable Cgroup parent;
    final Map<String, Cgroup> children = new HashMap<>(2);
    private final Descriptor directory;
    /** The inotify watch descriptors of this cgroup. */
    int[] watches = {};

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
    long pidsReadAtNanos = Long.MIN_VALUE;
    /** CLOCK_MONOTONIC, nanoseconds, of the last attempt to sample its memory. */
    long sampledAtNanos;

    private @Nullable MemorySnapshot snapshot;

    /** @param directory the open directory; this cgroup closes it */
    Cgroup(long inode, String path, @Nullable Cgroup parent, Descriptor directory) {
        this.inode = inode;
        this.path = path;
        this.parent = parent;
        this.directory = directory;
    }

    /** Inode of the directory; unique among all cgroups of one boot. */
    public long inode() {
        return inode;
    }

    /** Path from the root of the hierarchy, as the kernel's log spells it: {@code /a/b}. */
    public String path() {
        return path;
    }

    /** The parent cgroup; null for the root. */
    public @Nullable Cgroup parent() {
        return parent;
    }

    /** A descriptor of the directory; -EBADF after it is closed. */
    int dirFd() {
        return directory.number();
    }

    /** Whether the directory is gone. */
    public boolean isRemoved() {
        return !directory.isOpen();
    }

    /** CLOCK_MONOTONIC, nanoseconds, when the removal was detected. */
    public long removedAtNanos() {
        return removedAtNanos;
    }

    void watchAdded(int watch) {
        watches = Arrays.copyOf(watches, watches.length + 1);
        watches[watches.length - 1] = watch;
    }

    void markRemoved(long nowNanos) {
        closeDirectory();
        removedAtNanos = nowNanos;
    }

    /** Closes the descriptor, if it is open. */
    void closeDirectory() {
        directory.close();
    }

    /** Whether this cgroup has, or ever had, a child: then memory.events counts more than memory.events.local. */
    public boolean isInterior() {
        return interior;
    }

    void markInterior() {
        interior = true;
    }

    /** Whether its counters were ever readable; false for the root of cgroup v2 and where memory is not enabled. */
    public boolean hasCounters() {
        return counted;
    }

    void countersRead(long localKills, long treeKills, long ooms, long nowNanos) {
        if (localKills < this.localKills || treeKills < this.treeKills || ooms < this.ooms) {
            // The memory controller was disabled and enabled again: it counts from zero.
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
     * Kills counted in this cgroup itself that no event accounts for; negative when a record was read before the counter.
     */
    public long surplus() {
        return localKills - localAccounted;
    }

    /** The same for this cgroup and all its descendants, including removed ones. */
    long treeSurplus() {
        return treeKills - treeAccounted;
    }

    /** Number of kills in this cgroup that events account for; the ordinal of the next kill is one more. */
    public long accountedKills() {
        return localAccounted;
    }

    /** The same for this cgroup and all its descendants. */
    public long accountedTreeKills() {
        return treeAccounted;
    }

    /**
     * Recent OOMs at this cgroup's own limit that are not yet used as evidence. There can be more of them than kills:
     * every thread that finds no memory counts one, and all threads but the first may then find free memory again.
     */
    public long newOoms() {
        return ooms - oomsAccounted;
    }

    /** Uses one of the new OOMs as evidence for an incident. */
    public void accountOom() {
        oomsAccounted++;
    }

    /** Makes an OOM new again: it was used, but its incident is still to be reported. */
    public void returnOom() {
        oomsAccounted = Math.max(0, oomsAccounted - 1);
    }

    /** An event accounts for {@code kills} kills in this cgroup. */
    public void account(long kills) {
        localAccounted += kills;
        accountTree(kills);
    }

    /** An event accounts for {@code kills} kills in a removed cgroup somewhere below this one. */
    public void accountTree(long kills) {
        for (Cgroup at = this; at != null; at = at.parent) {
            at.treeAccounted += kills;
            at.snapshot = null;
        }
    }

    /** Sets the accounts to exactly the kills counted so far. */
    void absorbKills() {
        if (localAccounted != localKills || treeAccounted != treeKills) {
            snapshot = null;
        }
        localAccounted = localKills;
        treeAccounted = treeKills;
    }

    /** The same for OOMs, including those that have not led to a kill yet. */
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
     * Counted kills below this cgroup in cgroups that are removed. Correct only when this cgroup's counters were read
     * before its children's: in the other order a kill in between counts twice.
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

    /** Marks it as watched; returns whether it was not watched before. */
    boolean markWatched() {
        boolean wasWatched = watched;
        watched = true;
        return !wasWatched;
    }

    void markUnwatched() {
        watched = false;
    }

    /**
     * Its memory before a kill that no event accounts for yet, as the memory of that kill's incident. Empty where no
     * snapshot was read since the previous kill.
     */
    public Optional<Incident> sampledBefore(long killedAtNanos) {
        return snapshot == null ? Optional.empty() : snapshot.before(killedAtNanos);
    }

    /** Replaces the snapshot and returns the previous one; null for none. */
    @Nullable
    MemorySnapshot swapSnapshot(@Nullable MemorySnapshot newer) {
        MemorySnapshot before = snapshot;
        snapshot = newer;
        return before;
    }

    /** This cgroup, or its nearest ancestor that is not removed. */
    public Cgroup nearestLive() {
        Cgroup at = this;
        while (at.isRemoved() && at.parent != null) {
            at = at.parent;
        }
        return at;
    }

    /** This cgroup, or its ancestor, with this path; null for none. */
    public @Nullable Cgroup atOrAbove(String wanted) {
        Cgroup at = this;
        while (at != null && !at.path.equals(wanted)) {
            at = at.parent;
        }
        return at;
    }

    /** Whether this cgroup is {@code other} or a descendant of it. */
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
