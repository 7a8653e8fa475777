package dev.exit137.exitreport.cause;

import static dev.exit137.exitreport.cause.ExitFacts.SIGKILL;

import dev.exit137.exitreport.facts.RuntimeAction;
import dev.exit137.exitreport.facts.RuntimeAction.Kind;
import dev.exit137.exitreport.facts.SentSignal;
import dev.exit137.exitreport.words.ExitWords;
import dev.exit137.proto.v1.AskedBy;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import java.time.Duration;
import java.util.Optional;

/** What a container runtime was asked for, by its own record and by the signals that it sent. */
final class RuntimeRules {
    /** Docker says so for a container whose shim is gone, as nobody waited for its main process. */
    static final int CODE_WITHOUT_SHIM = 255;

    /** A runtime records a signal within this time of sending it. */
    private static final Duration SAME_MOMENT = Duration.ofSeconds(1);

    private static final Duration NO_GRACE = Duration.ofMillis(900);

    private RuntimeRules() {}

    static Optional<Verdict> notStarted(ExitFacts facts) {
        if (facts.started() || !facts.isContainer()) {
            return Optional.empty();
        }
        String what = ExitWords.subject(facts.reported());
        // The CRI has one code for all failures; the runtime's words tell them apart.
        int reason =
                facts.action(Kind.START_FAILED).map(RuntimeAction::exitCode).orElse(facts.code());
        return switch (reason) {
            case 127 ->
                Optional.of(new Verdict(
                        Cause.NOT_FOUND, what + " did not start: its program was not found (" + facts.code() + ")."));
            case 126 ->
                Optional.of(new Verdict(
                        Cause.NOT_EXECUTABLE,
                        what + " did not start: its program cannot be executed (" + facts.code() + ")."));
            case 125, 128 ->
                Optional.of(new Verdict(
                        Cause.RUNTIME_ERROR, what + " did not start: the runtime failed (" + facts.code() + ")."));
            default -> Optional.empty();
        };
    }

    static Optional<Verdict> killByRuntimesRecord(ExitFacts facts) {
        if (!facts.endedBy(SIGKILL)
                || facts.sent(SIGKILL).isEmpty()
                || (facts.kill().isEmpty() && facts.trace().whole())) {
            return Optional.empty();
        }
        Verdict verdict = runtimeKill(facts, "the runtime");
        // Its sender was gone before it could be read, but a process sent it when the runtime says that it did.
        boolean traced = facts.kill()
                .filter(kill -> ExitFacts.isFromSystemCall(kill) && isRecorded(facts, kill))
                .isPresent();
        return Optional.of(traced ? verdict.by(Evidence.TRACE) : verdict);
    }

    /** A runtime sent it: its own record, or the signal before, says what was asked for. */
    static Verdict runtimeKill(ExitFacts facts, String messenger) {
        String what = ExitWords.subject(facts.reported());
        Optional<Duration> waited = facts.waited();
        boolean docker = facts.reported().getEvidenceList().contains(Evidence.DOCKER);
        boolean stop = facts.has(Kind.STOP) || facts.has(Kind.RESTART);
        boolean isOfCri = !docker && facts.isOfCri();
        if (waited.isPresent()
                && (waited.get().compareTo(NO_GRACE) >= 0 || (isOfCri && hadGrace(facts)))
                && !isKillAfterTerm(facts)) {
            Verdict verdict = new Verdict(
                    Cause.STOP_TIMEOUT,
                    what + " was asked to end with SIGTERM and did not end within " + ExitWords.span(waited.get())
                            + "; " + messenger + " then killed it.");
            return asker(verdict, facts, facts.has(Kind.RESTART) ? "docker restart" : "docker stop");
        }
        if (docker && facts.sent(SIGKILL).isPresent() && !stop) {
            String command = facts.has(Kind.DESTROY) ? "docker rm -f" : "docker kill";
            Verdict verdict = new Verdict(
                    Cause.CLIENT_KILL,
                    "A client of Docker had " + what + " killed at once (" + command + "); " + messenger
                            + " sent the signal.");
            return asker(verdict, facts, command);
        }
        Verdict verdict = new Verdict(
                Cause.RUNTIME_KILL,
                messenger + " killed " + what + " without a grace period"
                        + (isOfCri ? criClient(facts) : ", as a client of the runtime asked") + ".");
        return asker(verdict, facts, stop ? "docker stop" : "");
    }

    /** Whether a client of the CRI gave a grace period, and the runtime then sent SIGKILL. */
    private static boolean hadGrace(ExitFacts facts) {
        return facts.sent(SIGKILL).isPresent()
                && facts.criRequest()
                        .filter(request -> request.kind() == Kind.STOP
                                && request.grace() != null
                                && request.grace().isPositive())
                        .isPresent();
    }

    private static String criClient(ExitFacts facts) {
        if (facts.criRequest().isPresent()) {
            return ", as a client of the CRI (kubelet or crictl) asked: " + call(facts);
        }
        return facts.logWasRead()
                ? "; containerd's log has no request of a client of the CRI for it"
                : "; no source says who asked";
    }

    /** Returns the call of the CRI by which a client asked, or that containerd's CRI service sent a signal by itself. */
    private static String call(ExitFacts facts) {
        return facts.criRequest()
                .map(request -> switch (request.kind()) {
                    case STOP -> "StopContainer";
                    case STOP_POD -> "StopPodSandbox";
                    case REMOVE -> "RemoveContainer";
                    case KILL, START_FAILED, DIE, OOM, DESTROY, RESTART, PAUSE -> "";
                })
                .orElse("");
    }

    /** {@code docker kill} after an earlier {@code docker kill -s TERM}: a stop says so itself. */
    private static boolean isKillAfterTerm(ExitFacts facts) {
        boolean docker = facts.reported().getEvidenceList().contains(Evidence.DOCKER);
        return docker && facts.has(Kind.DESTROY) && !facts.has(Kind.STOP);
    }

    static Verdict asker(Verdict verdict, ExitFacts facts, String dockerCommand) {
        boolean docker = facts.reported().getEvidenceList().contains(Evidence.DOCKER);
        if (docker && (facts.has(Kind.KILL) || facts.has(Kind.STOP))) {
            return verdict.asked(AskedBy.Kind.DOCKER_CLIENT, dockerCommand);
        }
        if (!facts.isOfCri()) {
            return verdict.asked(AskedBy.Kind.CONTAINERD_CLIENT, "");
        }
        if (facts.criRequest().isEmpty()) {
            return verdict;
        }
        // kubelet and crictl look alike here: the API server's events tell kubelet's reasons.
        return verdict.asked(AskedBy.Kind.CRI_CLIENT, call(facts)).by(Evidence.CONTAINERD_LOG);
    }

    /** Returns why nobody knows who asked, where the runtime's log would say so; empty if nothing is missing. */
    static String missingLog(ExitFacts facts, Verdict verdict) {
        boolean byRuntime = switch (verdict.cause) {
            case RUNTIME_KILL, STOP_TIMEOUT, STOPPED -> true;
            case UNKNOWN -> facts.endedBy(SIGKILL);
            default -> false;
        };
        return byRuntime && verdict.askedBy.getKind() == AskedBy.Kind.KIND_UNSPECIFIED ? facts.logMissing() : "";
    }

    /** Whether the runtime recorded that it sent a SIGKILL at that moment. */
    static boolean isRecorded(ExitFacts facts, SentSignal kill) {
        return facts.sent(SIGKILL)
                .map(sent -> Duration.between(kill.time(), sent.time()).abs())
                .filter(distance -> distance.compareTo(SAME_MOMENT) < 0)
                .isPresent();
    }
}
