package dev.exit137.agent.cgroup;

import dev.exit137.agent.linux.FileReader;
import dev.exit137.agent.linux.NativeMemory;
import dev.exit137.agent.linux.Sys;
import java.util.ArrayDeque;
import java.util.function.LongSupplier;

/** Learns the cgroups of processes while they live. Owned by the agent-epoll thread. */
final class ProcessScan {
    private static final long REFRESH_NANOS = 1_000_000_000L;
    private static final long RENEWAL_NANOS = 60_000_000_000L;
    private static final long YOUNG_NANOS = 10_000_000_000L;

    /** cgroup v1 does not notify when a cgroup becomes populated: a new one is scanned for a while. */
    private record Young(Cgroup cgroup, long sinceNanos) {}

    private final LongSupplier monotonicNanos;
    final PidIndex pids = new PidIndex();
    private final ArrayDeque<Young> young = new ArrayDeque<>();
    private final FileReader file = new FileReader(64 * 1024);
    private final NativeMemory name = Sys.nativeString("cgroup.procs");
    private long renewedAtNanos;

    ProcessScan(LongSupplier monotonicNanos) {
        this.monotonicNanos = monotonicNanos;
        renewedAtNanos = monotonicNanos.getAsLong();
    }

    /** Scans a cgroup for a while: no notification says when it becomes populated. */
    void addYoung(Cgroup cgroup) {
        young.addLast(new Young(cgroup, monotonicNanos.getAsLong()));
    }

    void read(Cgroup cgroup) {
        cgroup.pidsReadAtNanos = monotonicNanos.getAsLong();
        if (file.read(cgroup.dirFd(), name) > 0) {
            file.forEachNumber(pid -> pids.put(pid, cgroup));
        }
    }

    /** A cgroup at its limit, or one below it, will have kills: learns its processes while they live, once a second. */
    void refresh(Cgroup cgroup) {
        if (monotonicNanos.getAsLong() - cgroup.pidsReadAtNanos > REFRESH_NANOS) {
            read(cgroup);
            cgroup.children.values().forEach(this::refresh);
        }
    }

    /** Periodic work; call about once a second. */
    void tick(long nowNanos, CgroupTree tree) {
        if (nowNanos - renewedAtNanos > RENEWAL_NANOS) {
            renewedAtNanos = nowNanos;
            pids.beginRenewal();
            tree.forEach(this::read);
        }
        while (!young.isEmpty() && nowNanos - young.peekFirst().sinceNanos() > YOUNG_NANOS) {
            young.removeFirst();
        }
        young.forEach(each -> read(each.cgroup()));
    }
}
