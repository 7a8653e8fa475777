package dev.exit137.oomreport.explain;

import static java.util.stream.Collectors.joining;

import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEventOrBuilder;
import java.util.List;
import java.util.stream.Stream;

/** Explains an event, and recommends actions. Any thread. */
public final class Explainer {
    /**
     * Separates the advice, which has the same words for every OOM, from the evidence: a reader of many events can count
     * the advice alone.
     */
    public static final String EVIDENCE_FOLLOWS = ": ";

    // The order matters: the first sentence found is the explanation's second. A cause comes before its circumstances.
    private static final List<Rule> RULES = List.of(
            NodeRules::askedFor,
            NodeRules::pageFault,
            NodeRules::fragmentation,
            NodeRules::confinedToZones,
            NodeRules::confinedToNumaNodes,
            NodeRules::freeForMovableOnly,
            VictimRules::memoryRequest,
            NodeRules::fill,
            NodeRules::roomWhenPrinted,
            NodeRules::panic,
            MemcgRules::kernelMemoryLimit,
            MemcgRules::sharedLimit,
            JvmRules::heap,
            MemcgRules::fill,
            MemcgRules::heldBefore,
            MemcgRules::swapFull,
            MemcgRules::usageAboveLimit,
            MemcgRules::oftenAtLimit,
            VictimRules::notTheLargest,
            VictimRules::protectedVictim,
            VictimRules::unkillableHolders,
            VictimRules::noLimit,
            VictimRules::groupKill,
            HistoryRules::repeated);

    private Explainer() {}

    /** Whether it is proved that other processes than the victim filled the node, or the limit that they shared. */
    public static boolean isInnocentVictim(OomKillEventOrBuilder event) {
        return VictimRules.isInnocent(new Oom(event));
    }

    /** Sets {@code explanation} and {@code recommendations} from the rest of the event. */
    public static void explain(OomKillEvent.Builder event) {
        Oom oom = new Oom(event);
        List<Finding> findings =
                RULES.stream().flatMap(rule -> rule.findings(oom).stream()).toList();
        String cause = findings.stream()
                .map(Finding::sentence)
                .filter(sentence -> !sentence.isEmpty())
                .findFirst()
                .orElse("");
        event.setExplanation(Stream.of(
                                Headline.of(oom),
                                cause,
                                VictimRules.fate(oom),
                                MemcgRules.contradiction(oom),
                                HistoryRules.times(oom))
                        .filter(s -> !s.isEmpty())
                        .collect(joining(" ")))
                .clearRecommendations()
                .addAllRecommendations(findings.stream()
                        .filter(finding -> !finding.advice().isEmpty())
                        .map(Finding::recommendation)
                        .distinct()
                        .toList());
    }
}
