package dev.exit137.agent.cgroup;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.function.LongSupplier;
import java.util.function.Predicate;

/**
 * Keeps the last memory sample of each cgroup that has a limit and has used half of it. The sample is for kills without
 * a report: the kernel prints only 10 reports in 5 s. A cgroup is checked when it is at its limit (v2 notifies of that)
 * and at every interval; on a large node less often, so that the whole of an idle agent costs less than 0.1 % of a
 * processor.
 *
 * <p>A sample that was read while a kill was counted may show the memory after it: then the previous sample is kept.
 * Owned by the agent-epoll thread; allocates once per cgroup.
 */
final class MemorySampler {
    private static final long TICK_NANOS = 1_000_000_000L;
    private static final int MAX_LOOKS_PER_TICK = 4;
    /** A check reads two small files, a sample some five. For memory.stat the kernel adds up all processors' counts. */
    private static final int MAX_SAMPLES_PER_TICK = 8;

    private final MemorySnapshot.Files files;
    private final long intervalNanos;
    private final LongSupplier monotonicNanos;
    private final Predicate<Cgroup> allKillsAccounted;
    private final ArrayDeque<Cgroup> turns = new ArrayDeque<>();
    private MemorySnapshot spare = new MemorySnapshot();
    private int samplesLeft = MAX_SAMPLES_PER_TICK;

    /**
     * @param interval how often each cgroup is checked; 0 for never
     * @param allKillsAccounted reads the counters of a cgroup and returns whether events account for every kill there
     */
    MemorySampler(boolean v2, Duration interval, LongSupplier monotonicNanos, Predicate<Cgroup> allKillsAccounted) {
        files = new MemorySnapshot.Files(v2);
        intervalNanos = interval.toNanos();
        this.monotonicNanos = monotonicNanos;
        this.allKillsAccounted = allKillsAccounted;
    }

    void add(Cgroup cgroup) {
        if (intervalNanos > 0) {
            turns.addLast(cgroup);
        }
    }

    void remove(Cgroup cgroup) {
        turns.remove(cgroup);
    }

    /** Its memory.events changed: it is at its limit, or near. */
    void onEvents(Cgroup cgroup) {
        long now = monotonicNanos.getAsLong();
        if (intervalNanos > 0 && samplesLeft > 0 && now - cgroup.sampledAtNanos >= TICK_NANOS) {
            sample(cgroup, now);
        }
    }

    /** Periodic work; call about once a second. */
    void tick(long nowNanos) {
        samplesLeft = MAX_SAMPLES_PER_TICK;
        if (turns.isEmpty()) {
            return;
        }
        long due = Math.ceilDiv(turns.size() * TICK_NANOS, intervalNanos);
        for (long looks = Math.min(Math.min(due, turns.size()), MAX_LOOKS_PER_TICK);
                looks > 0 && samplesLeft > 0;
                looks--) {
            Cgroup cgroup = turns.pollFirst();
            turns.addLast(cgroup);
            if (nowNanos - cgroup.sampledAtNanos >= TICK_NANOS) {
                sample(cgroup, nowNanos);
            }
        }
    }

    private void sample(Cgroup cgroup, long nowNanos) {
        cgroup.sampledAtNanos = nowNanos;
        long limitBytes = files.limitBytes(cgroup);
        if (limitBytes < 0) {
            cgroup.swapSnapshot(null);
            return;
        }
        long usageBytes = files.usageBytes(cgroup);
        if (usageBytes < limitBytes / 2) {
            // A sample from long before the kill would explain nothing.
            cgroup.swapSnapshot(null);
            return;
        }
        samplesLeft--;
        if (!spare.read(cgroup, limitBytes, usageBytes, files)) {
            return;
        }
        spare.takenAt(monotonicNanos.getAsLong());
        if (allKillsAccounted.test(cgroup)) {
            MemorySnapshot before = cgroup.swapSnapshot(spare);
            spare = before == null ? new MemorySnapshot() : before;
        }
    }
}
