package dev.exit137.agent.cgroup;

import io.netty.util.collection.IntObjectHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The cgroup of each process, known <em>before</em> it is killed: at the kill the process is usually gone. An entry
 * outlives its process and its cgroup for a while, because the record of a kill is read after both are gone. So an
 * entry is evidence of a kill only if the cgroup's counter agrees, or the kill is within the cgroup's lifetime.
 *
 * <p>Owned by the agent-epoll thread.
 */
public final class PidIndex {
    private IntObjectHashMap<Cgroup> seen = new IntObjectHashMap<>(256);
    private IntObjectHashMap<Cgroup> seenBefore = new IntObjectHashMap<>(1);

    void put(int pid, Cgroup cgroup) {
        seen.put(pid, cgroup);
    }

    /** The last cgroup in which the process was seen, or null. */
    public @Nullable Cgroup cgroupOf(int pid) {
        Cgroup cgroup = seen.get(pid);
        return cgroup != null ? cgroup : seenBefore.get(pid);
    }

    /** Starts a renewal: the caller enters all live processes again. The next renewal drops the others. */
    void beginRenewal() {
        seenBefore = seen;
        seen = new IntObjectHashMap<>(Math.max(256, seen.size()));
    }
}
