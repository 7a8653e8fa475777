package dev.exit137.agent.cgroup;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.exit137.agent.linux.FileReader;
import dev.exit137.agent.linux.NativeMemory;
import dev.exit137.agent.linux.Sys;
import java.util.function.LongSupplier;

/**
 * Reads a cgroup's kill counters. On v2 {@code memory.events.local} counts in the cgroup alone, and
 * {@code memory.events} also in all its descendants, including removed ones (Documentation/admin-guide/cgroup-v2.rst);
 * {@code oom} counts in the cgroup at its limit, before anything is killed (mem_cgroup_oom in mm/memcontrol.c). On v1
 * {@code oom_kill} of {@code memory.oom_control} counts in the cgroup alone (kernels 4.13 and later), and no file
 * counts OOMs: {@code failcnt} grows whenever the limit is met, also where reclaim finds memory.
 *
 * <p>Owned by the agent-epoll thread; reading allocates nothing.
 */
final class MemoryEventsReader {
    /*
     * low 0
     * high 0
     * max 61
     * oom 1
     * oom_kill 1
     * oom_group_kill 0
     */
    private static final byte[] OOM_KILL = "oom_kill".getBytes(US_ASCII);
    private static final byte[] OOM = "oom".getBytes(US_ASCII);

    private final FileReader file = new FileReader(4096);
    private final NativeMemory localName;
    private final NativeMemory treeName;
    private final boolean v2;
    private final LongSupplier monotonicNanos;

    MemoryEventsReader(boolean v2, LongSupplier monotonicNanos) {
        this.v2 = v2;
        this.monotonicNanos = monotonicNanos;
        localName = Sys.nativeString(v2 ? "memory.events.local" : "memory.oom_control");
        treeName = Sys.nativeString("memory.events");
    }

    /** Reads a cgroup's counters; returns 0, or -errno and leaves the cgroup unchanged. */
    int read(Cgroup cgroup) {
        if (cgroup.isRemoved()) {
            return -Sys.ENOENT;
        }
        // The tree before the leaf: a kill in between makes the difference negative, and never adds a kill.
        long treeKills = -1;
        if (v2 && (cgroup.isInterior() || !cgroup.hasCounters())) {
            int result = file.read(cgroup.dirFd(), treeName);
            if (result < 0) {
                return result;
            }
            treeKills = file.valueOf(OOM_KILL);
        }
        int result = file.read(cgroup.dirFd(), localName);
        if (result < 0) {
            return result;
        }
        long localKills = Math.max(0, file.valueOf(OOM_KILL));
        if (treeKills > localKills) {
            cgroup.markInterior();
        }
        long ooms = v2 ? Math.max(0, file.valueOf(OOM)) : 0;
        cgroup.countersRead(localKills, Math.max(treeKills, localKills), ooms, monotonicNanos.getAsLong());
        return 0;
    }
}
