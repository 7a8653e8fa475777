package dev.exit137.oomreport.explain;

import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import dev.exit137.proto.v1.OomKillEventOrBuilder;
import dev.exit137.proto.v1.Task;
import dev.exit137.proto.v1.Victim;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Collectors;

/** Rules for the choice of the victim. */
final class VictimRules {
    private static final int UNKILLABLE = -1000;

    private VictimRules() {}

    /** Another process held twice as much: its oom_score_adj, or its cgroup, differed. */
    static List<Finding> notTheLargest(Oom oom) {
        Optional<Task> largest = oom.largestTask();
        Victim victim = oom.event().getVictim();
        if (oom.victimHeld().isEmpty()
                || largest.isEmpty()
                || !victim.hasOomScoreAdj()
                || !largest.get().hasOomScoreAdj()
                || largest.get().getOomScoreAdj() >= victim.getOomScoreAdj()
                || largest.get().getRssBytes() / 2 < oom.victimHeld().getAsLong()) {
            return List.of();
        }
        Task other = largest.get();
        return List.of(new Finding(
                "It was not the largest, but was to go first (oom_score_adj " + victim.getOomScoreAdj() + "); "
                        + oom.process(other) + ", " + other.getOomScoreAdj() + ", held "
                        + Sizes.text(other.getRssBytes()) + ".",
                "Check that oom_score_adj says what should go first",
                "victim " + victim.getOomScoreAdj() + ", held "
                        + Sizes.text(oom.victimHeld().getAsLong()) + ", " + oom.process(other) + " "
                        + other.getOomScoreAdj() + ", held " + Sizes.text(other.getRssBytes())));
    }

    /** For the node's OOM only: below one limit, all processes may be protected alike. */
    static List<Finding> protectedVictim(Oom oom) {
        Victim victim = oom.event().getVictim();
        if (!oom.isNode() || victim.getOomScoreAdj() >= 0) {
            return List.of();
        }
        return List.of(new Finding(
                "It was killed in spite of its oom_score_adj of " + victim.getOomScoreAdj() + ".",
                "Do not count on oom_score_adj alone to keep a process alive",
                oom.victim() + " was killed with " + victim.getOomScoreAdj()));
    }

    /**
     * The victim's memory above its container's request; negative for less. Empty where that is within the estimate's
     * error, or the node was not short of all of its memory. kubelet's oom_score_adj steers the kernel's choice: a
     * process that holds its container's request scores 1000.
     */
    private static OptionalLong overRequest(Oom oom) {
        Container container = oom.event().getContainer();
        if (oom.event().getScope() != Scope.GLOBAL
                || oom.isAskedFor()
                || !oom.zones().withRoom().isEmpty()
                || NodeRules.isConfinedToZones(oom)
                || !container.hasMemoryRequestEstimateBytes()
                || oom.victimHeld().isEmpty()) {
            return OptionalLong.empty();
        }
        long over = oom.victimHeld().getAsLong() - container.getMemoryRequestEstimateBytes();
        return Math.abs(over) > container.getMemoryRequestErrorBytes() ? OptionalLong.of(over) : OptionalLong.empty();
    }

    /**
     * Whether other processes filled the memory that the victim was killed for: the victim held less than half, and
     * another process more, or it held next to nothing. For a container on a full node, its request decides. A process
     * that dies with its group was not chosen.
     */
    static boolean isInnocent(Oom oom) {
        boolean shared = oom.isNode() ? !oom.isAskedFor() : oom.isVictimElsewhere();
        if (!shared
                || oom.whole().isEmpty()
                || oom.victimHeld().isEmpty()
                || oom.incident().getGroupKill()) {
            return false;
        }
        OptionalLong overRequest = overRequest(oom);
        if (overRequest.isPresent()) {
            return overRequest.getAsLong() < 0;
        }
        long held = oom.victimHeld().getAsLong();
        boolean anotherHeldMore = oom.largestTask()
                .filter(task -> !oom.isVictim(task) && task.getRssBytes() > held)
                .isPresent();
        long whole = oom.whole().getAsLong();
        return held < whole / 10 || (held < whole / 2 && anotherHeldMore);
    }

    static List<Finding> memoryRequest(Oom oom) {
        OptionalLong difference = overRequest(oom);
        if (difference.isEmpty()) {
            return List.of();
        }
        long over = difference.getAsLong();
        String estimate =
                "estimated from oom_score_adj " + oom.event().getVictim().getOomScoreAdj();
        return List.of(new Finding(
                "It held about " + Sizes.text(Math.abs(over)) + (over > 0 ? " more" : " less")
                        + " than its container had requested (" + estimate
                        + (over > 0 ? "), which made it the one to kill." : "), so others filled the node."),
                over > 0
                        ? "Request as much memory as the container needs, since a process above its container's request goes first"
                        : "Look for what holds more than it requested, since the victim did not",
                oom.victim() + " held " + Sizes.text(oom.victimHeld().getAsLong()) + ", the request is about "
                        + Sizes.text(oom.event().getContainer().getMemoryRequestEstimateBytes()) + " (" + estimate
                        + ")"));
    }

    /** The node was short, and no limit of its own bounded the victim. */
    static List<Finding> noLimit(Oom oom) {
        OomKillEventOrBuilder event = oom.event();
        if (event.getScope() != Scope.GLOBAL
                || oom.isAskedFor()
                || oom.victimHeld().isEmpty()
                || !event.getAfterKill().hasMaxBytes()
                || Sizes.isLimit(event.getAfterKill().getMaxBytes())
                || !Oom.isOwned(oom.victimCgroup())
                || overRequest(oom).orElse(0) < 0) {
            return List.of();
        }
        return List.of(Finding.advice(
                "Give the victim a memory limit, so that it cannot take the memory of others",
                oom.name(oom.victimCgroup()) + " has none of its own, " + oom.victim() + " held "
                        + Sizes.text(oom.victimHeld().getAsLong())));
    }

    /** Processes that the kernel may not kill hold a good part. */
    static List<Finding> unkillableHolders(Oom oom) {
        if (oom.whole().isEmpty()) {
            return List.of();
        }
        long least = oom.whole().getAsLong() / 10;
        List<Task> holders = oom.incident().getTasksList().stream()
                .filter(task -> task.hasOomScoreAdj() && task.getOomScoreAdj() == UNKILLABLE && !oom.isVictim(task))
                .filter(task -> task.getRssBytes() > 0 && task.getRssBytes() >= least)
                .sorted(Comparator.comparingLong(Task::getRssBytes).reversed())
                .limit(3)
                .toList();
        if (holders.isEmpty()) {
            return List.of();
        }
        String names = holders.stream()
                .map(task -> oom.process(task) + " " + Sizes.text(task.getRssBytes()))
                .collect(Collectors.joining(", "));
        return List.of(new Finding(
                "The kernel may not kill some that held much (oom_score_adj -1000): " + names + ".",
                "Bound what the kernel may not kill (oom_score_adj -1000)",
                names));
    }

    static List<Finding> groupKill(Oom oom) {
        if (!oom.incident().getGroupKill() || oom.incident().getKillsSoFar() < 2) {
            return List.of();
        }
        return List.of(Finding.advice(
                "Unset memory.oom.group (kubelet's singleProcessOOMKill) if the others could go on without the victim",
                oom.incident().getKillsSoFar() + " processes were killed together"));
    }

    /**
     * The effect of the kill on the container; empty where that is not known. With memory.oom.group the main process may
     * be among those that die with a child.
     */
    static String fate(Oom oom) {
        Victim victim = oom.event().getVictim();
        if (!victim.hasIsContainerInit() || (oom.incident().getGroupKill() && !victim.getIsContainerInit())) {
            return "";
        }
        if (victim.getIsContainerInit()) {
            return "It was the container's main process, so the container ended.";
        }
        if (victim.hasContainerOutlived() && !victim.getContainerOutlived()) {
            return "It was not the container's main process, and the container ended right after it.";
        }
        return "It was not the container's main process: the container "
                + (victim.hasContainerOutlived() ? "lives on" : "may live on")
                + (oom.event().getContainer().getPod().getUid().isEmpty()
                        ? "."
                        : ", and Kubernetes does not show this kill.");
    }
}
