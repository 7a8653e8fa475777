package dev.exit137.cli.render.report;

import dev.exit137.oomreport.explain.Part;
import dev.exit137.oomreport.explain.Sizes;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.MemoryBreakdown;
import dev.exit137.proto.v1.MemorySample;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.SlabCache;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** The use of memory, as bars. */
final class MemoryText {
    private static final int MAX_CACHES = 5;

    private MemoryText() {}

    static void print(OomKillEvent event, Page page) {
        Incident incident = event.getIncident();
        MemoryBreakdown memory = incident.getMemory();
        List<Part> parts = new ArrayList<>(Part.of(memory));
        parts.add(new Part(Part.Kind.NOT_COUNTED, Part.notCountedBytes(incident.getNodeMemory(), memory)));
        parts.removeIf(part -> part.bytes() == 0);
        long whole = whole(event);
        List<String> lines = new ArrayList<>();
        if (incident.hasMemorySample()) {
            lines.add(read(incident.getMemorySample(), incident.getLimit()));
        }
        parts.forEach(part -> lines.add(row(part.kind().words(), part.bytes(), whole)));
        if (memory.getSwapBytes() > 0) {
            lines.add(row("in swap", memory.getSwapBytes(), 0));
        }
        if (!lines.isEmpty()
                && incident.getTasksCount() == 0
                && Words.heldBytes(event.getVictim()).isPresent()) {
            lines.add(
                    row("held by the victim", Words.heldBytes(event.getVictim()).getAsLong(), whole));
        }
        page.entry("memory", lines);
        page.entry("slab", caches(incident.getSlabCachesList()));
    }

    /** The limit for the shares: that of the incident, or if it is not known, that of the sample; else 0. */
    private static long whole(OomKillEvent event) {
        long sampled = event.getIncident().getMemorySample().getLimitBytes();
        return Part.whole(event).orElse(Sizes.isLimit(sampled) ? sampled : 0);
    }

    /** The note for a kill without a report of the kernel. */
    private static String read(MemorySample sample, Limit limit) {
        String whose = sample.getCgroup().equals(limit.getCgroup()) ? "" : ", of the victim's cgroup";
        return "read " + Sizes.seconds(sample.getAgeNanos()) + " before the kill: " + Sizes.text(sample.getUsageBytes())
                + " of " + Sizes.text(sample.getLimitBytes()) + " in use" + whose;
    }

    /** @param whole for the share; 0 for none */
    private static String row(String name, long bytes, long whole) {
        String size = String.format("%-24s %10s", name, Sizes.text(bytes));
        return whole == 0 ? size : String.format("%s %6s  %s", size, Sizes.share(bytes, whole), Page.bar(bytes, whole));
    }

    private static String caches(List<SlabCache> caches) {
        return caches.stream()
                .limit(MAX_CACHES)
                .map(cache -> cache.getName() + " "
                        + Sizes.text(cache.hasTotalBytes() ? cache.getTotalBytes() : cache.getUsedBytes()))
                .collect(Collectors.joining(", "));
    }
}
