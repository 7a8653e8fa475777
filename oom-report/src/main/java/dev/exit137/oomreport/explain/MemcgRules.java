package dev.exit137.oomreport.explain;

import static java.util.stream.Collectors.joining;

import dev.exit137.oomreport.explain.Part.Kind;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.MemorySample;
import dev.exit137.proto.v1.Task;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.StringJoiner;

/** Rules for an OOM at a memory cgroup's limit. */
final class MemcgRules {
    private static final long OFTEN = 1000;

    private MemcgRules() {}

    /** The limit that could not be charged any more, {@code memory limit of 64 MiB}; without a size if none is known. */
    static String hitLimit(Limit limit) {
        boolean memoryFull = limit.hasUsageBytes() && Oom.isNearly(limit.getUsageBytes(), limit.getLimitBytes());
        if (!memoryFull
                && limit.hasUsageBytes()
                && limit.getSwapIncludesMemory()
                && limit.hasSwapUsageBytes()
                && Oom.isNearly(limit.getSwapUsageBytes(), limit.getSwapLimitBytes())) {
            return "limit of memory and swap together of " + Sizes.text(limit.getSwapLimitBytes());
        }
        if (!memoryFull && limit.hasUsageBytes() && isKmemFull(limit)) {
            return "limit of kernel memory (kmem) of " + Sizes.text(limit.getKmemLimitBytes());
        }
        boolean printed = limit.hasLimitBytes() && Sizes.isLimit(limit.getLimitBytes());
        return "memory limit" + (printed ? " of " + Sizes.text(limit.getLimitBytes()) : "");
    }

    private static boolean isKmemFull(Limit limit) {
        return limit.hasKmemUsageBytes()
                && limit.getKmemLimitBytes() > 0
                && Oom.isNearly(limit.getKmemUsageBytes(), limit.getKmemLimitBytes());
    }

    /** The contradiction between the sources; empty where they agree. */
    static String contradiction(Oom oom) {
        List<String> others = oom.limit().getContradictedByList();
        return others.isEmpty()
                ? ""
                : "The sources disagree: the kernel's line names "
                        + oom.name(oom.limit().getCgroup())
                        + ", and the counter of OOMs that moved is that of "
                        + others.stream().map(oom::name).collect(joining(" and of ")) + ".";
    }

    /** cgroup v1: kernel memory has a limit of its own. */
    static List<Finding> kernelMemoryLimit(Oom oom) {
        if (!oom.isMemcg() || !isKmemFull(oom.limit())) {
            return List.of();
        }
        return List.of(Finding.advice(
                "Raise or remove the limit of kernel memory (memory.kmem.limit_in_bytes)",
                Sizes.text(oom.limit().getKmemUsageBytes()) + " of "
                        + Sizes.text(oom.limit().getKmemLimitBytes()) + " were in use"));
    }

    /**
     * The limit belongs to a cgroup above the victim's: other processes may have filled it, unless the victim held most.
     */
    static List<Finding> sharedLimit(Oom oom) {
        OptionalLong whole = oom.whole();
        if (!oom.isVictimElsewhere()) {
            return List.of();
        }
        String victim = oom.victim() + " is in " + oom.name(oom.victimCgroup());
        String sentence = "";
        if (whole.isPresent() && oom.victimHeld().isPresent()) {
            long held = oom.victimHeld().getAsLong();
            String share = Sizes.share(held, whole.getAsLong());
            victim += " and held " + Sizes.text(held) + " (" + share + ")";
            if (held >= whole.getAsLong() / 2) {
                return List.of();
            }
            if (held < whole.getAsLong() / 10) {
                sentence = "It held " + share + " of what was in use"
                        + oom.largestTask()
                                .filter(task -> !oom.isVictim(task) && task.getRssBytes() > held)
                                .map(task -> "; " + oom.process(task) + " held " + Sizes.text(task.getRssBytes()) + " ("
                                        + Sizes.share(task.getRssBytes(), whole.getAsLong()) + ").")
                                .orElse(", so others filled the limit.");
            }
        }
        return List.of(new Finding(
                sentence,
                "Look at everything that shares the limit, not only at the victim",
                "the limit is that of " + oom.name(oom.limitCgroup()) + ", " + victim));
    }

    /** The parts of the memory, the largest first. */
    static List<Finding> fill(Oom oom) {
        if (!oom.isMemcg() || oom.whole().isEmpty()) {
            return List.of();
        }
        long whole = oom.whole().getAsLong();
        List<Part> parts = parts(oom);
        if (parts.isEmpty()
                && oom.victimHeld().isPresent()
                && Oom.isLarge(oom.victimHeld().getAsLong(), whole)) {
            return List.of(oneHolder(
                    "It held " + Sizes.share(oom.victimHeld().getAsLong(), whole) + " of what was in use.", oom));
        }
        List<Finding> findings = new ArrayList<>();
        parts.stream()
                .filter(part -> Oom.isLarge(part.bytes(), whole))
                .sorted(Comparator.comparingLong(Part::bytes).reversed())
                .forEach(part -> findings.add(finding(oom, part, whole)));
        return findings;
    }

    /** No report shows the memory at the limit: the finding gives an earlier sample, with its age. */
    static List<Finding> heldBefore(Oom oom) {
        boolean unknownLimit =
                oom.incident().hasMemorySample() && oom.limit().getCgroup().isEmpty();
        if (!oom.isMemcg() || (!unknownLimit && (!oom.isSampleOfTheLimit() || oom.isMemoryAtTheLimit()))) {
            return List.of();
        }
        MemorySample sample = oom.incident().getMemorySample();
        String largest = Part.of(oom.memory()).stream()
                .max(Comparator.comparingLong(Part::bytes))
                .map(part -> ", " + Sizes.text(part.bytes()) + " of it "
                        + part.kind().words())
                .orElse("");
        return List.of(Finding.sentence(
                (unknownLimit ? "Its own cgroup used " : "It used ") + Sizes.text(sample.getUsageBytes()) + " of "
                        + Sizes.text(sample.getLimitBytes()) + oom.before() + largest + "."));
    }

    /**
     * A node's kernel reports several kinds of kernel memory; here they are one part, which matters only when it is
     * large.
     */
    private static List<Part> parts(Oom oom) {
        List<Part> parts = new ArrayList<>();
        if (!oom.isMemoryAtTheLimit()) {
            return parts;
        }
        long kernel = 0;
        for (Part part : Part.of(oom.memory())) {
            switch (part.kind()) {
                case ANON, SHMEM, CACHE, SOCK -> parts.add(part);
                case FREE, HUGEPAGES, NOT_COUNTED -> {}
                default -> kernel += part.bytes();
            }
        }
        if (kernel == 0) {
            kernel = oom.limit().getKmemUsageBytes();
        }
        parts.add(new Part(Kind.KERNEL, kernel));
        parts.removeIf(part -> part.bytes() == 0);
        return parts;
    }

    private static Finding finding(Oom oom, Part part, long whole) {
        String size = Sizes.text(part.bytes()) + " (" + Sizes.share(part.bytes(), whole) + oom.before() + ")";
        return switch (part.kind()) {
            case ANON -> anon(oom, size, whole);
            case SHMEM ->
                new Finding(
                        "tmpfs and shared memory filled it, " + size + "; files there stay when a process is killed.",
                        "Bound what is kept in tmpfs and shared memory (/dev/shm, volumes in memory), which counts against the limit",
                        size + " of it");
            case CACHE ->
                new Finding(
                        "Page cache filled it, " + size + ", which the kernel could not take back.",
                        "Find what keeps files in memory (much written at once, mapped, locked)",
                        size + " of page cache" + cacheState(oom));
            case SOCK ->
                new Finding(
                        "Socket buffers filled it, " + size + ".",
                        "Find the connections whose data nobody reads, or bound their buffers (net.ipv4.tcp_rmem, tcp_wmem)",
                        size + " in socket buffers");
            default ->
                new Finding(
                        "Kernel memory filled it, " + size + ".",
                        "Find what makes the kernel hold memory for the cgroup (open files, dentries, threads, mappings)",
                        size + " of kernel memory" + kernelParts(oom));
        };
    }

    private static Finding anon(Oom oom, String size, long whole) {
        String sentence = "Anonymous memory filled it, " + size;
        OptionalLong held = oom.victimHeld();
        if (held.isPresent() && held.getAsLong() >= whole / 2) {
            return oneHolder(sentence + ", most of it the victim's.", oom);
        }
        if (oom.largestTask().isEmpty()) {
            return new Finding(
                    sentence + ".",
                    "Raise the limit, or make its processes smaller",
                    size + " of anonymous memory, limit "
                            + Sizes.text(oom.limit().getLimitBytes()));
        }
        Task largest = oom.largestTask().get();
        if (largest.getRssBytes() >= whole / 2) {
            return oneHolder(sentence + ", most of it held by " + oom.process(largest) + ".", oom);
        }
        return new Finding(
                sentence + " in " + oom.taskCount() + " processes, the largest of which, " + oom.process(largest)
                        + ", held " + Sizes.text(largest.getRssBytes()) + ".",
                "Raise the limit, or run fewer processes under it",
                oom.taskCount() + " processes shared it, the largest " + oom.largestTasks(3));
    }

    private static Finding oneHolder(String sentence, Oom oom) {
        long whole = oom.whole().getAsLong();
        long held = oom.victimHeld().orElse(0);
        String holder = oom.victim();
        if (held < whole / 2 && oom.largestTask().isPresent()) {
            holder = oom.process(oom.largestTask().get());
            held = oom.largestTask().get().getRssBytes();
        }
        return new Finding(
                sentence,
                "Raise the limit, or make its largest process smaller",
                holder + " held " + Sizes.text(held) + ", " + Sizes.share(held, whole) + " of " + Sizes.text(whole));
    }

    private static String cacheState(Oom oom) {
        if (oom.incident().getMemcgStatsCount() == 0) {
            return "";
        }
        Map<String, Long> stat = oom.incident().getMemcgStats(0).getStatMap();
        StringJoiner state = new StringJoiner(", ", ", of it ", "").setEmptyValue("");
        state(state, "dirty", stat, "file_dirty", "total_dirty", "dirty");
        state(state, "under writeback", stat, "file_writeback", "total_writeback", "writeback");
        state(state, "mapped", stat, "file_mapped", "total_mapped_file", "mapped_file");
        state(state, "unevictable", stat, "unevictable", "total_unevictable");
        return state.toString();
    }

    /** Adds the value of the first of the names that is present, unless it is zero. */
    private static void state(StringJoiner state, String words, Map<String, Long> stat, String... names) {
        for (String name : names) {
            if (stat.containsKey(name)) {
                if (stat.get(name) != 0) {
                    state.add(Sizes.text(stat.get(name)) + " " + words);
                }
                return;
            }
        }
    }

    private static String kernelParts(Oom oom) {
        StringJoiner parts = new StringJoiner(", ", ", of it ", "").setEmptyValue("");
        for (Part part : Part.of(oom.memory())) {
            switch (part.kind()) {
                case SLAB, SLAB_UNRECLAIMABLE, PAGETABLES, KERNEL_STACK -> {
                    if (part.bytes() > 0) {
                        parts.add(Sizes.text(part.bytes()) + " " + part.kind().words());
                    }
                }
                default -> {}
            }
        }
        return parts.toString();
    }

    /** v2: the cgroup's allowance of swap was used up as well. */
    static List<Finding> swapFull(Oom oom) {
        Limit limit = oom.limit();
        if (!oom.isMemcg()
                || limit.getSwapIncludesMemory()
                || !limit.hasSwapUsageBytes()
                || limit.getSwapUsageBytes() == 0
                || !limit.hasSwapLimitBytes()
                || !Oom.isNearly(limit.getSwapUsageBytes(), limit.getSwapLimitBytes())) {
            return List.of();
        }
        return List.of(new Finding(
                "Its swap was full, too.",
                "Raise its swap limit (memory.swap.max) only if it may be slow; it needs memory",
                Sizes.text(limit.getSwapUsageBytes()) + " of " + Sizes.text(limit.getSwapLimitBytes())
                        + " swap were in use"));
    }

    static List<Finding> usageAboveLimit(Oom oom) {
        Limit limit = oom.limit();
        if (!oom.isMemcg()
                || !limit.hasUsageBytes()
                || !limit.hasLimitBytes()
                || !Sizes.isLimit(limit.getLimitBytes())
                || limit.getUsageBytes() - limit.getLimitBytes() < Math.max(1 << 20, limit.getLimitBytes() / 50)) {
            return List.of();
        }
        return List.of(new Finding(
                "It used more than its limit.",
                "Check whether the limit was lowered while it was in use (a guess; charges that may not fail pass it, too)",
                Sizes.text(limit.getUsageBytes()) + " were in use, the limit was "
                        + Sizes.text(limit.getLimitBytes())));
    }

    static List<Finding> oftenAtLimit(Oom oom) {
        if (!oom.isMemcg() || oom.limit().getFailcnt() < OFTEN) {
            return List.of();
        }
        return List.of(Finding.advice(
                "Watch it before it is killed (memory.pressure, failcnt), since it lives at its limit",
                "failcnt says that it had been hit " + oom.limit().getFailcnt() + " times"));
    }
}
