package dev.exit137.oomreport.explain;

import dev.exit137.proto.v1.Jvm;
import dev.exit137.proto.v1.Victim;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/** Compares a Java virtual machine's heap with the limit that it was killed at. */
final class JvmRules {
    private static final Pattern SIZE_OF_HEAP = Pattern.compile("-Xmx.*|-XX:MaxHeapSize=.*");
    private static final Pattern SHARE_FOR_HEAP = Pattern.compile("-XX:MaxRAM(?:Percentage|Fraction)=.*");
    private static final String KEEP_BELOW =
            "Keep the Java heap well below the limit (-Xmx, -XX:MaxRAMPercentage), or raise the limit";

    private JvmRules() {}

    static List<Finding> heap(Oom oom) {
        Jvm jvm = oom.event().getContainer().getJvm();
        Victim victim = oom.event().getVictim();
        long limit = oom.limit().getLimitBytes();
        // Some collectors have their heap in shared memory.
        long held = victim.getAnonRssBytes() + victim.getShmemRssBytes();
        if (!oom.isMemcg()
                || !jvm.hasMaxHeapBytes()
                || !victim.hasPid()
                || victim.getPid() != jvm.getPid()
                || !oom.limit().hasLimitBytes()
                || !Sizes.isLimit(limit)
                || held < limit / 2) {
            return List.of();
        }
        long heap = jvm.getMaxHeapBytes();
        String flag = flag(jvm);
        String limitText = "the limit of " + Sizes.text(limit);
        if (heap >= limit) {
            return List.of(new Finding(
                    flag + " lets the Java heap alone grow to " + limitText + ".",
                    KEEP_BELOW,
                    flag + " is " + Sizes.text(heap) + ", the limit " + Sizes.text(limit)));
        }
        String rest = Sizes.text(limit - heap);
        String leaves = flag + " in " + limitText + " leaves " + rest;
        if (held > heap) {
            String beside = Sizes.text(held - heap);
            return List.of(new Finding(
                    leaves + " for all but the Java heap, of which it held " + beside + " at least.",
                    "Bound what the JVM holds beside its heap (metaspace, direct buffers, threads, code), or raise the limit",
                    oom.victim() + " held " + Sizes.text(held) + ", " + beside + " more than its largest heap (" + flag
                            + ")"));
        }
        return Oom.isLarge(limit - heap, limit)
                ? List.of()
                : List.of(new Finding(
                        leaves + " for metaspace, threads, code and buffers.",
                        KEEP_BELOW,
                        flag + " leaves " + rest + " of " + Sizes.text(limit)));
    }

    /** The flag that sets the maximum heap, with the size where the flag does not show it. */
    private static String flag(Jvm jvm) {
        return last(jvm, SIZE_OF_HEAP)
                .orElseGet(() -> last(jvm, SHARE_FOR_HEAP).orElse("") + " (" + Sizes.text(jvm.getMaxHeapBytes()) + ")");
    }

    private static Optional<String> last(Jvm jvm, Pattern pattern) {
        return jvm.getMemoryFlagsList().reversed().stream()
                .filter(flag -> pattern.matcher(flag).matches())
                .findFirst();
    }
}
