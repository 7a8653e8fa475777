package dev.exit137.cli.local;

import dev.exit137.exitreport.words.ExitWords;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Certainty;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.OomKillEvent;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/** The words about an end by a signal that nothing on this host recorded: what it was not, and what it can have been. */
final class Unrecorded {
    private static final int SIGKILL_CODE = 137;
    private static final int SIGKILL = 9;
    /** The kernel's log must begin this long before the end: then the reason of the end is behind its beginning. */
    private static final Duration BEFORE = Duration.ofSeconds(10);

    private static final String AGENT =
            "Run exit137's agent on this host (exit137 run): it sees who sends the next signal.";

    private Unrecorded() {}

    /** Whether it looks like an end by SIGKILL or SIGTERM, and no source says why. */
    static boolean isSo(ExitEvent exit) {
        boolean killed = exit.getExitCode() == SIGKILL_CODE || exit.getSignal() == SIGKILL;
        return (exit.getCause() == Cause.UNKNOWN && killed)
                || (exit.getCause() == Cause.STOPPED && exit.getCertainty() == Certainty.INFERRED);
    }

    /** @param inIt OOM kills in it during the life that ended */
    static ExitEvent explain(ExitEvent exit, LocalEnd end, List<OomKillEvent> inIt, KernelRing.Log ring) {
        boolean isTerm = exit.getCause() == Cause.STOPPED;
        StringBuilder words = new StringBuilder(ExitWords.subject(exit)).append(" ended");
        if (exit.hasExitCode()) {
            words.append(" with code ").append(exit.getExitCode());
        }
        words.append(exit.hasSignal() ? " by " : ", as after ").append(isTerm ? "SIGTERM" : "SIGKILL");
        List<String> not = whatItWasNot(exit, end, inIt, ring, isTerm);
        words.append(not.isEmpty() ? "" : ": " + String.join(", and ", not)).append(". ");
        Optional<OomKillEvent> child = inIt.stream().filter(end::isAtItsEnd).findFirst();
        child.ifPresent(kill -> words.append(child(kill, end.ended())));
        words.append(
                        child.isPresent()
                                ? "Whether it did so, or who sent the signal otherwise,"
                                : "Who sent the signal"
                                        + (exit.hasSignal() ? "" : ", or that the program chose that code itself,"))
                .append(" is recorded nowhere after the fact.");
        return exit.toBuilder()
                .setExplanation(words.toString())
                .clearRecommendations()
                .addAllRecommendations(child.<List<String>>map(OomKillEvent::getRecommendationsList)
                        .orElse(List.of()))
                .addRecommendations(AGENT)
                .build();
    }

    private static List<String> whatItWasNot(
            ExitEvent exit, LocalEnd end, List<OomKillEvent> inIt, KernelRing.Log ring, boolean isTerm) {
        List<String> not = new ArrayList<>();
        boolean dockerTold = exit.getEvidenceList().contains(Evidence.DOCKER)
                && !exit.getEvidenceMissingList().contains(DockerHistory.EVENTS_GONE);
        if (dockerTold && !end.isAsked()) {
            not.add("nobody asked Docker for it");
        }
        boolean elsewhere = ring.kills().stream()
                .filter(kill -> kill.getCgroupPath().isEmpty())
                .noneMatch(kill -> !kill.hasTime() || end.isAtItsEnd(kill));
        if (!isTerm
                && inIt.stream().noneMatch(end::isAtItsEnd)
                && elsewhere
                && ring.reaches(end.ended().minus(BEFORE))) {
            not.add("the kernel's OOM killer was not it (its log since "
                    + HostFacts.seconds(Objects.requireNonNull(ring.since())) + " has no such kill)");
        }
        return not;
    }

    private static String child(OomKillEvent kill, Instant ended) {
        Duration before = Duration.between(Host.instant(kill.getTime()), ended);
        return "The kernel's OOM killer killed " + kill.getVictim().getComm()
                + (kill.getVictim().hasPid()
                        ? " (pid " + Integer.toUnsignedString(kill.getVictim().getPid()) + ")"
                        : "")
                + " in it " + (before.isNegative() ? "at that moment" : ExitWords.span(before) + " before")
                + ": a program that passes on the code of its child ends so. ";
    }
}
