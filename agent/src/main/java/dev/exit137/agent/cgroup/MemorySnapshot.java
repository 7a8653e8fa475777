package dev.exit137.agent.cgroup;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.exit137.agent.linux.FileReader;
import dev.exit137.agent.linux.NativeMemory;
import dev.exit137.agent.linux.Sys;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.MemoryBreakdown;
import java.util.Optional;
import java.util.function.ObjLongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The memory of a cgroup and its descendants at one moment. Only numbers: a second reading allocates nothing.
 *
 * <p>Owned by the agent-epoll thread.
 */
public final class MemorySnapshot {
    private static final long ABSENT = -1;

    /** A line of memory.stat, by its key on v2 and on v1; null where that version has none. */
    @SuppressWarnings("ImmutableEnumChecker") // The keys are never written, the setters have no state.
    private enum Stat {
        ANON("anon", "total_rss", MemoryBreakdown.Builder::setAnonBytes),
        FILE("file", "total_cache", MemoryBreakdown.Builder::setFileBytes),
        SHMEM("shmem", "total_shmem", MemoryBreakdown.Builder::setShmemBytes),
        KERNEL("kernel", null, MemoryBreakdown.Builder::setKernelBytes),
        KERNEL_STACK("kernel_stack", null, MemoryBreakdown.Builder::setKernelStackBytes),
        PAGETABLES("pagetables", null, MemoryBreakdown.Builder::setPagetablesBytes),
        SOCK("sock", null, MemoryBreakdown.Builder::setSockBytes),
        SLAB("slab", null, MemoryBreakdown.Builder::setSlabBytes),
        SLAB_UNRECLAIMABLE("slab_unreclaimable", null, MemoryBreakdown.Builder::setSlabUnreclaimableBytes),
        HUGETLB("hugetlb", null, MemoryBreakdown.Builder::setHugepagesBytes),
        SWAP(null, "total_swap", MemoryBreakdown.Builder::setSwapBytes);

        private static final Stat[] ALL = values();

        private final byte @Nullable [] v2Key;
        private final byte @Nullable [] v1Key;
        private final ObjLongConsumer<MemoryBreakdown.Builder> setter;

        Stat(@Nullable String v2Key, @Nullable String v1Key, ObjLongConsumer<MemoryBreakdown.Builder> setter) {
            this.v2Key = v2Key == null ? null : v2Key.getBytes(US_ASCII);
            this.v1Key = v1Key == null ? null : v1Key.getBytes(US_ASCII);
            this.setter = setter;
        }
    }

    /** The files of a snapshot. */
    static final class Files {
        private final boolean v2;
        private final FileReader file = new FileReader(16 * 1024);
        private final NativeMemory limit;
        private final NativeMemory usage;
        private final NativeMemory stat = Sys.nativeString("memory.stat");
        /** The value that memory.stat of this version lacks: swap on v2, kernel memory on v1. */
        private final NativeMemory missing;

        Files(boolean v2) {
            this.v2 = v2;
            limit = Sys.nativeString(v2 ? "memory.max" : "memory.limit_in_bytes");
            usage = Sys.nativeString(v2 ? "memory.current" : "memory.usage_in_bytes");
            missing = Sys.nativeString(v2 ? "memory.swap.current" : "memory.kmem.usage_in_bytes");
        }

        private long number(Cgroup cgroup, NativeMemory name) {
            return file.read(cgroup.dirFd(), name) > 0 ? file.firstNumber() : ABSENT;
        }

        /** Its own limit in bytes; negative for no limit, and where it cannot be read. */
        long limitBytes(Cgroup cgroup) {
            long bytes = number(cgroup, limit);
            return bytes < AfterKillReader.V1_UNLIMITED_FROM ? bytes : ABSENT;
        }

        /** Memory of the cgroup and its descendants in bytes; negative where it cannot be read. */
        long usageBytes(Cgroup cgroup) {
            return number(cgroup, usage);
        }
    }

    private final long[] stat = new long[Stat.ALL.length];
    private String path = "";
    private long takenAtNanos;
    private long limitBytes;
    private long usageBytes;

    /** Reads the snapshot again; returns whether that worked. After a failure its content is invalid. */
    boolean read(Cgroup cgroup, long limitBytes, long usageBytes, Files files) {
        if (files.file.read(cgroup.dirFd(), files.stat) <= 0) {
            return false;
        }
        for (Stat each : Stat.ALL) {
            byte[] key = files.v2 ? each.v2Key : each.v1Key;
            stat[each.ordinal()] = key == null ? ABSENT : files.file.valueOf(key);
        }
        stat[(files.v2 ? Stat.SWAP : Stat.KERNEL).ordinal()] = files.number(cgroup, files.missing);
        this.path = cgroup.path();
        this.limitBytes = limitBytes;
        this.usageBytes = usageBytes;
        return true;
    }

    /** Sets the time at which all of it had been read, CLOCK_MONOTONIC in nanoseconds. */
    void takenAt(long nanos) {
        takenAtNanos = nanos;
    }

    /** The snapshot as the memory of an incident without printed blocks; empty when it was not read before the kill. */
    Optional<Incident> before(long killedAtNanos) {
        if (killedAtNanos < takenAtNanos) {
            return Optional.empty();
        }
        Incident.Builder incident = Incident.newBuilder();
        for (Stat each : Stat.ALL) {
            if (stat[each.ordinal()] >= 0) {
                each.setter.accept(incident.getMemoryBuilder(), stat[each.ordinal()]);
            }
        }
        incident.getMemorySampleBuilder()
                .setCgroup(path)
                .setAgeNanos(killedAtNanos - takenAtNanos)
                .setLimitBytes(limitBytes)
                .setUsageBytes(usageBytes);
        return Optional.of(incident.build());
    }
}
