package dev.exit137.exitreport.cause;

import static dev.exit137.exitreport.cause.ExitFacts.SIGKILL;
import static dev.exit137.exitreport.cause.ExitFacts.SIGTERM;

import com.google.protobuf.Timestamp;
import com.google.protobuf.util.Durations;
import dev.exit137.exitreport.facts.End;
import dev.exit137.exitreport.facts.SeccompKill;
import dev.exit137.exitreport.facts.SentSignal;
import dev.exit137.exitreport.facts.TraceState;
import dev.exit137.proto.v1.AskedBy;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Certainty;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.ProcessRef;
import dev.exit137.proto.v1.StopRequest;
import java.time.Instant;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * From the evidence about an end to its cause. The first rule that applies decides. A rule reads facts of an {@link
 * ExitFacts} and names the sources that support it; what no source says is marked as inferred.
 */
public final class ExitRules {
    private static final int MAX_SECONDARY = 16;

    private static final List<Function<ExitFacts, Optional<Verdict>>> TABLE = List.of(
            RuntimeRules::notStarted,
            KillRules::oomKill,
            KillRules::shim,
            KillRules::killByKernel,
            KillRules::seccomp,
            KillRules::itself,
            KillRules::killBySender,
            RuntimeRules::killByRuntimesRecord,
            UnitRules::unitResult,
            UnitRules::startFailure,
            CodeRules::sigkillWithoutASender,
            CodeRules::stopped,
            CodeRules::crash,
            CodeRules::ownExit);

    private ExitRules() {}

    /**
     * Completes the event of an end: cause, sender, who asked, certainty, words.
     *
     * @param end as reported
     * @param signals SIGKILLs and SIGTERMs to processes of the subject and to its shim, oldest first
     * @param ooms OOM kills in the subject during the life that ended, oldest first
     * @param trace whether {@code signals} can be complete
     */
    public static ExitEvent explain(End end, List<SentSignal> signals, List<OomKillEvent> ooms, TraceState trace) {
        return explain(end, signals, ooms, null, trace);
    }

    /**
     * Does the same with the kernel's log.
     *
     * @param seccomp the kill of the main process for a system call; null for none
     */
    public static ExitEvent explain(
            End end,
            List<SentSignal> signals,
            List<OomKillEvent> ooms,
            @Nullable SeccompKill seccomp,
            TraceState trace) {
        ExitFacts facts = new ExitFacts(end, signals, ooms, seccomp, trace);
        Verdict verdict = TABLE.stream()
                .flatMap(rule -> rule.apply(facts).stream())
                .findFirst()
                .orElseGet(() -> CodeRules.unknown(facts));
        ExitEvent.Builder event = end.reported().toBuilder()
                .setEndedAt(end.reported().getTime())
                .setCause(verdict.cause)
                .setExplanation(verdict.explanation);
        addSignals(event, facts, verdict);
        addStopRequest(event, facts);
        ooms.forEach(oom -> event.addOomEventIds(oom.getEventId()));
        if (verdict.cause == Cause.OOM_KILL && !ooms.isEmpty()) {
            event.setLimitOwner(facts.oomOfMain()
                    .orElse(ooms.getFirst())
                    .getIncident()
                    .getLimit()
                    .getOwner());
        }
        if (verdict.askedBy.getKind() != AskedBy.Kind.KIND_UNSPECIFIED
                || !verdict.askedBy.getDetail().isEmpty()) {
            event.setAskedBy(verdict.askedBy);
        }
        Set<Evidence> evidence = EnumSet.noneOf(Evidence.class);
        evidence.addAll(event.getEvidenceList());
        evidence.addAll(verdict.evidence);
        event.clearEvidence().addAllEvidence(evidence);
        if (verdict.inferred || verdict.cause == Cause.UNKNOWN) {
            event.setCertainty(verdict.cause == Cause.UNKNOWN ? Certainty.CERTAINTY_UNSPECIFIED : Certainty.INFERRED);
        } else {
            event.setCertainty(evidence.size() > 1 ? Certainty.CONFIRMED : Certainty.SINGLE_SOURCE);
        }
        if (facts.kill().isEmpty() && !facts.trace().missing().isEmpty()) {
            event.addEvidenceMissing("trace: " + facts.trace().missing());
        }
        String log = RuntimeRules.missingLog(facts, verdict);
        if (!log.isEmpty()) {
            event.addEvidenceMissing("containerd's log: " + log);
        }
        event.clearRecommendations().addAllRecommendations(ExitAdvice.of(facts, verdict));
        return event.build();
    }

    /**
     * Returns whether a SIGKILL ended the subject, or followed from its end.
     *
     * @param end as reported
     * @param signals as for {@link #explain}
     * @param kill one of them
     */
    public static boolean isPart(End end, List<SentSignal> signals, SentSignal kill) {
        return new ExitFacts(end, signals, List.of(), null, TraceState.WHOLE).isPart(kill);
    }

    private static void addSignals(ExitEvent.Builder event, ExitFacts facts, Verdict verdict) {
        if (event.getProcess().getComm().isEmpty()) {
            facts.commOfMain().ifPresent(comm -> event.getProcessBuilder().setComm(comm));
        }
        facts.seccomp().ifPresent(kill -> event.setSignal(kill.signal()));
        facts.kill().ifPresent(kill -> {
            event.setSignal(SIGKILL).addAllKernelPath(kill.kernelPath());
            if (ExitFacts.isFromSystemCall(kill)) {
                event.setSender(kill.sender());
            }
        });
        if (verdict.cause == Cause.SHIM_DIED) {
            facts.shimKill().map(SentSignal::sender).ifPresent(event::setSender);
        }
        List<SentSignal> aftermath = facts.aftermath();
        aftermath.stream().limit(MAX_SECONDARY).map(ExitRules::victim).forEach(event::addSecondaryKills);
        event.setSecondaryKillsOmitted(Math.max(0, aftermath.size() - MAX_SECONDARY));
    }

    private static ProcessRef victim(SentSignal signal) {
        return ProcessRef.newBuilder()
                .setPid(signal.victimPid())
                .setComm(signal.victimComm())
                .build();
    }

    private static void addStopRequest(ExitEvent.Builder event, ExitFacts facts) {
        Optional<Instant> asked = facts.askedToEnd();
        if (asked.isEmpty()) {
            return;
        }
        StopRequest.Builder request =
                StopRequest.newBuilder().setSignal(SIGTERM).setTime(timestamp(asked.get()));
        facts.waited().ifPresent(waited -> request.setWaited(Durations.fromNanos(waited.toNanos())));
        facts.grace().ifPresent(grace -> request.setGrace(Durations.fromNanos(grace.toNanos())));
        // The kernel drops a signal to process 1 of a namespace that has no handler for it.
        facts.term().ifPresent(term -> request.setIgnored(!term.delivered()));
        event.setStopRequest(request);
    }

    private static Timestamp timestamp(Instant time) {
        return Timestamp.newBuilder()
                .setSeconds(time.getEpochSecond())
                .setNanos(time.getNano())
                .build();
    }
}
