package dev.exit137.exitreport.cause;

import static dev.exit137.exitreport.cause.ExitFacts.SIGKILL;
import static dev.exit137.exitreport.cause.ExitFacts.SIGTERM;

import com.google.protobuf.Timestamp;
import com.google.protobuf.util.Durations;
import dev.exit137.exitreport.facts.End;
import dev.exit137.exitreport.facts.RuntimeAction;
import dev.exit137.exitreport.facts.RuntimeAction.Kind;
import dev.exit137.exitreport.facts.SentSignal;
import dev.exit137.exitreport.facts.TraceState;
import dev.exit137.exitreport.facts.UnitState;
import dev.exit137.exitreport.words.ExitWords;
import dev.exit137.proto.v1.AskedBy;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Certainty;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.ProcessRef;
import dev.exit137.proto.v1.Sender;
import dev.exit137.proto.v1.StopRequest;
import java.time.Duration;
import java.time.Instant;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * From the evidence about an end to its cause. The first rule that applies decides. A rule reads facts of an {@link
 * ExitFacts} and names the sources that support it; what no source says is marked as inferred.
 */
public final class ExitRules {
    private static final int MAX_SECONDARY = 16;
    /** A runtime records a signal within this time of sending it. */
    private static final Duration SAME_MOMENT = Duration.ofSeconds(1);

    private static final Duration NO_GRACE = Duration.ofMillis(900);

    /** Signals whose default action is a core dump (signal(7)), but those that people send from a terminal. */
    private static final Set<Integer> CRASHES = Set.of(4, 5, 6, 7, 8, 11);

    private static final int SIGSYS = 31;

    /** Docker says so for a container whose shim is gone, as nobody waited for its main process. */
    private static final int CODE_WITHOUT_SHIM = 255;

    private static final List<Function<ExitFacts, Optional<Verdict>>> TABLE = List.of(
            ExitRules::notStarted,
            ExitRules::oomKill,
            ExitRules::shim,
            ExitRules::killByKernel,
            ExitRules::killBySender,
            ExitRules::killByRuntimesRecord,
            ExitRules::unitResult,
            ExitRules::sigkillWithoutASender,
            ExitRules::stopped,
            ExitRules::crash,
            ExitRules::ownExit);

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
        ExitFacts facts = new ExitFacts(end, signals, ooms, trace);
        Verdict verdict = TABLE.stream()
                .flatMap(rule -> rule.apply(facts).stream())
                .findFirst()
                .orElseGet(() -> unknown(facts));
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
        if (!trace.whole() && facts.kill().isEmpty() && !trace.missing().isEmpty()) {
            event.addEvidenceMissing("trace: " + trace.missing());
        }
        event.clearRecommendations().addAllRecommendations(ExitAdvice.of(facts, verdict));
        return event.build();
    }

    private static void addSignals(ExitEvent.Builder event, ExitFacts facts, Verdict verdict) {
        facts.kill().ifPresent(kill -> {
            event.setSignal(SIGKILL).addAllKernelPath(kill.kernelPath());
            if (isFromSystemCall(kill)) {
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

    /** Whether a process sent it: on all other ways the process that ran is not the sender. */
    private static boolean isFromSystemCall(SentSignal kill) {
        KernelPath path = KernelPath.of(kill.kernelPath());
        boolean kernels = kill.code() == KERNEL_CODE || kill.inInterrupt();
        return !kernels
                && (path == KernelPath.SYSTEM_CALL || path == KernelPath.CGROUP_KILL || path == KernelPath.UNKNOWN);
    }

    /** SI_KERNEL, include/uapi/asm-generic/siginfo.h. */
    private static final int KERNEL_CODE = 128;

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

    // ---- the rules, in their order

    private static Optional<Verdict> notStarted(ExitFacts facts) {
        if (facts.started() || !facts.isContainer()) {
            return Optional.empty();
        }
        String what = ExitWords.subject(facts.reported());
        return switch (facts.code()) {
            case 127 ->
                Optional.of(new Verdict(Cause.NOT_FOUND, what + " did not start: its program was not found (127)."));
            case 126 ->
                Optional.of(new Verdict(
                        Cause.NOT_EXECUTABLE, what + " did not start: its program cannot be executed (126)."));
            case 125, 128 ->
                Optional.of(new Verdict(
                        Cause.RUNTIME_ERROR, what + " did not start: the runtime failed (" + facts.code() + ")."));
            default -> Optional.empty();
        };
    }

    private static Optional<Verdict> oomKill(ExitFacts facts) {
        boolean traced = facts.kill()
                .filter(kill -> KernelPath.of(kill.kernelPath()) == KernelPath.OOM)
                .isPresent();
        Optional<OomKillEvent> oom = facts.oomOfMain();
        if (!traced && (oom.isEmpty() || !facts.endedBy(SIGKILL))) {
            return Optional.empty();
        }
        String said = oom.map(OomKillEvent::getExplanation).orElse("");
        Verdict verdict = new Verdict(
                Cause.OOM_KILL,
                "The kernel's OOM killer ended " + ExitWords.subject(facts.reported()) + "."
                        + (said.isEmpty() ? "" : " " + said));
        if (traced) {
            verdict.by(Evidence.TRACE);
        }
        if (oom.isPresent()) {
            verdict.by(Evidence.OOM_EVENT);
        }
        return Optional.of(verdict);
    }

    private static Optional<Verdict> shim(ExitFacts facts) {
        boolean afterIt = facts.action(Kind.DIE)
                        .filter(die -> Objects.equals(die.exitCode(), CODE_WITHOUT_SHIM))
                        .isPresent()
                || (facts.kill()
                                .filter(kill -> facts.senderOf(kill) == SenderKind.RUNTIME)
                                .isPresent()
                        && facts.sent(SIGKILL).isEmpty());
        if (facts.shimKill().isEmpty() || !afterIt) {
            return Optional.empty();
        }
        SentSignal kill = facts.shimKill().get();
        Verdict verdict = new Verdict(
                Cause.SHIM_DIED,
                ExitWords.sender(kill.sender()) + " killed " + kill.victimComm() + " (pid " + kill.victimPid()
                        + "), the parent of " + ExitWords.subject(facts.reported()) + "; the runtime then killed it.");
        ask(verdict, facts.senderOf(kill), kill.sender());
        return Optional.of(verdict.by(Evidence.TRACE));
    }

    private static Optional<Verdict> killByKernel(ExitFacts facts) {
        return facts.kill().flatMap(kill -> {
            String what = ExitWords.subject(facts.reported());
            KernelPath path = KernelPath.of(kill.kernelPath());
            Verdict verdict = switch (path) {
                case NAMESPACE_END ->
                    new Verdict(
                            Cause.CONTAINER_INIT_DIED,
                            "Process 1 of its pid namespace ended, so the kernel killed " + what + ".");
                case CGROUP_KILL ->
                    new Verdict(
                            Cause.CGROUP_KILL,
                            ExitWords.sender(kill.sender()) + " killed the whole cgroup of " + what
                                    + " (cgroup.kill).");
                case CPU_LIMIT ->
                    new Verdict(
                            Cause.CPU_LIMIT,
                            what + " used up its limit of processor time (RLIMIT_CPU), so the kernel killed" + " it.");
                case TRACER_END ->
                    new Verdict(
                            Cause.TRACER_DIED,
                            "The tracer of " + what + " ended, so the kernel killed it (PTRACE_O_EXITKILL).");
                case SECCOMP ->
                    new Verdict(
                            Cause.SECCOMP,
                            what + " made a system call that its seccomp filter forbids, so the kernel killed"
                                    + " it.");
                case PARENT_END ->
                    new Verdict(
                            Cause.PARENT_DIED,
                            "The parent of " + what + " ended, and it had asked for SIGKILL then"
                                    + " (PR_SET_PDEATHSIG).");
                case OOM, SYSTEM_CALL, OTHER, UNKNOWN -> null;
            };
            if (verdict != null && path == KernelPath.CGROUP_KILL) {
                ask(verdict, facts.senderOf(kill), kill.sender());
            }
            return Optional.ofNullable(verdict).map(found -> found.by(Evidence.TRACE));
        });
    }

    private static Optional<Verdict> killBySender(ExitFacts facts) {
        return facts.kill().filter(ExitRules::isFromSystemCall).flatMap(kill -> {
            String what = ExitWords.subject(facts.reported());
            Sender sender = kill.sender();
            SenderKind kind = facts.senderOf(kill);
            Optional<Verdict> verdict = switch (kind) {
                case RUNTIME -> {
                    Verdict found = runtimeKill(facts, ExitWords.sender(sender));
                    boolean byName = SenderKind.isLeavingMessenger(sender) && !isRecorded(facts, kill);
                    yield Optional.of(byName ? found.inferred() : found);
                }
                case SYSTEMD -> Optional.of(unitResult(facts).orElseGet(() -> bySystemd(facts)));
                case PRESSURE_KILLER ->
                    Optional.of(new Verdict(
                            Cause.PRESSURE_KILLER,
                            ExitWords.sender(sender) + " killed " + what + " to free memory before the kernel would."));
                case SAME_CONTAINER ->
                    Optional.of(new Verdict(
                            Cause.SAME_CONTAINER_PROCESS,
                            ExitWords.sender(sender) + ", a process of the same "
                                    + (facts.isContainer() ? "container" : "cgroup") + ", killed " + what
                                    + "."));
                case PERSON, PROGRAM, OTHER_CONTAINER ->
                    Optional.of(new Verdict(Cause.HOST_PROCESS, ExitWords.sender(sender) + " killed " + what + "."));
                // Its name alone is no evidence; the runtime's own record may say more.
                case UNKNOWN -> Optional.empty();
            };
            verdict.ifPresent(found -> {
                found.by(Evidence.TRACE);
                if (found.askedBy.getKind() == AskedBy.Kind.KIND_UNSPECIFIED) {
                    ask(found, kind, sender);
                }
            });
            return verdict;
        });
    }

    private static void ask(Verdict verdict, SenderKind kind, Sender sender) {
        String program = SenderKind.program(sender.getExe());
        switch (kind) {
            case PERSON -> verdict.asked(AskedBy.Kind.PERSON, program);
            case PROGRAM, OTHER_CONTAINER, SAME_CONTAINER, PRESSURE_KILLER ->
                verdict.asked(AskedBy.Kind.PROGRAM, program);
            case SYSTEMD -> verdict.asked(AskedBy.Kind.SYSTEMD, "");
            case RUNTIME, UNKNOWN -> {
                // The runtime is a messenger, and of an unknown sender nothing is known.
            }
        }
    }

    /** A runtime sent it: its own record, or the signal before, says what was asked for. */
    private static Verdict runtimeKill(ExitFacts facts, String messenger) {
        String what = ExitWords.subject(facts.reported());
        Optional<Duration> waited = facts.waited();
        boolean docker = facts.reported().getEvidenceList().contains(Evidence.DOCKER);
        boolean stop = facts.has(Kind.STOP) || facts.has(Kind.RESTART);
        if (waited.isPresent() && waited.get().compareTo(NO_GRACE) >= 0 && !isKillAfterTerm(facts)) {
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
                messenger + " killed " + what + " without a grace period, as a client of the runtime asked.");
        return asker(verdict, facts, stop ? "docker stop" : "");
    }

    /** {@code docker kill} after an earlier {@code docker kill -s TERM}: a stop says so itself. */
    private static boolean isKillAfterTerm(ExitFacts facts) {
        boolean docker = facts.reported().getEvidenceList().contains(Evidence.DOCKER);
        return docker && facts.has(Kind.DESTROY) && !facts.has(Kind.STOP);
    }

    private static Verdict asker(Verdict verdict, ExitFacts facts, String dockerCommand) {
        boolean docker = facts.reported().getEvidenceList().contains(Evidence.DOCKER);
        if (docker && (facts.has(Kind.KILL) || facts.has(Kind.STOP))) {
            return verdict.asked(AskedBy.Kind.DOCKER_CLIENT, dockerCommand);
        }
        // kubelet and crictl look alike here: the API server's events tell kubelet's reasons. Docker records what it
        // asks.
        return facts.reported().getContainer().hasPod() ? verdict : verdict.asked(AskedBy.Kind.CONTAINERD_CLIENT, "");
    }

    private static Optional<Verdict> killByRuntimesRecord(ExitFacts facts) {
        boolean recorded = facts.sent(SIGKILL).isPresent()
                || facts.action(Kind.STOP).map(RuntimeAction::grace).isPresent();
        if (!facts.endedBy(SIGKILL)
                || !recorded
                || (facts.kill().isEmpty() && facts.trace().whole())) {
            return Optional.empty();
        }
        Verdict verdict = runtimeKill(facts, "the runtime");
        // Its sender was gone before it could be read, but a process sent it when the runtime says that it did.
        boolean traced = facts.kill()
                .filter(kill -> isFromSystemCall(kill) && isRecorded(facts, kill))
                .isPresent();
        return Optional.of(traced ? verdict.by(Evidence.TRACE) : verdict);
    }

    /** Whether the runtime recorded that it sent a SIGKILL at that moment. */
    private static boolean isRecorded(ExitFacts facts, SentSignal kill) {
        return facts.sent(SIGKILL)
                .map(sent -> Duration.between(kill.time(), sent.time()).abs())
                .filter(distance -> distance.compareTo(SAME_MOMENT) < 0)
                .isPresent();
    }

    private static Optional<Verdict> unitResult(ExitFacts facts) {
        UnitState unit = facts.unit();
        if (unit == null) {
            return Optional.empty();
        }
        String what = facts.reported().getUnit();
        Verdict verdict = switch (unit.result()) {
            case "timeout" ->
                "start".equals(unit.phase())
                        ? new Verdict(
                                Cause.SYSTEMD_START_TIMEOUT,
                                what + " did not start in time (TimeoutStartSec), so systemd ended it.")
                        : new Verdict(
                                Cause.SYSTEMD_STOP_TIMEOUT,
                                what + " did not stop in time (TimeoutStopSec), so systemd killed it" + because(unit)
                                        + ".");
            case "watchdog" ->
                new Verdict(
                        Cause.SYSTEMD_WATCHDOG,
                        what + " did not report to systemd in time (WatchdogSec), so systemd ended it.");
            default -> null;
        };
        if (verdict == null && unit.byClient()) {
            verdict = new Verdict(
                    Cause.SYSTEMD_CLIENT_REQUEST,
                    "A client of systemd had " + what + " ended by " + ExitWords.signal(signalOf(facts))
                            + " (systemctl kill).");
            verdict.asked(AskedBy.Kind.SYSTEMD_JOB, "systemctl kill");
        }
        if (verdict == null && !unit.dependencies().isEmpty()) {
            verdict = new Verdict(
                            Cause.SYSTEMD_DEPENDENCY,
                            "systemd ended " + what + because(unit) + ": their jobs came together.")
                    .inferred();
        }
        if (verdict == null && !unit.jobType().isEmpty() && facts.endedBy(SIGTERM)) {
            verdict = new Verdict(
                    Cause.SYSTEMD_CLIENT_REQUEST, "A client of systemd had " + what + " " + past(unit.jobType()) + ".");
            verdict.asked(AskedBy.Kind.SYSTEMD_JOB, "systemctl " + unit.jobType());
        }
        if (verdict == null) {
            return Optional.empty();
        }
        if (!unit.dependencies().isEmpty()) {
            verdict.asked(AskedBy.Kind.SYSTEMD_JOB, unit.dependencyKind());
            verdict.askedBy.addAllUnits(unit.dependencies());
        } else if (verdict.askedBy.getKind() == AskedBy.Kind.KIND_UNSPECIFIED) {
            if (unit.jobType().isEmpty()) {
                verdict.asked(AskedBy.Kind.SYSTEMD, "");
            } else {
                verdict.asked(AskedBy.Kind.SYSTEMD_JOB, "systemctl " + unit.jobType());
            }
        }
        return Optional.of(verdict);
    }

    private static int signalOf(ExitFacts facts) {
        return facts.knownSignal() == 0 ? facts.signalOfCode() : facts.knownSignal();
    }

    private static String past(String jobType) {
        return jobType.equals("restart") ? "restarted" : "stopped";
    }

    private static String because(UnitState unit) {
        return unit.dependencies().isEmpty()
                ? ""
                : " because of " + String.join(", ", unit.dependencies()) + " (" + unit.dependencyKind() + ")";
    }

    private static Verdict bySystemd(ExitFacts facts) {
        return new Verdict(
                        Cause.SYSTEMD_CLIENT_REQUEST,
                        "systemd killed " + ExitWords.subject(facts.reported()) + "; no source says who asked.")
                .inferred();
    }

    private static Optional<Verdict> sigkillWithoutASender(ExitFacts facts) {
        if (!facts.endedBy(SIGKILL)) {
            return Optional.empty();
        }
        String what = ExitWords.subject(facts.reported());
        if (facts.knownSignal() == SIGKILL || !facts.trace().whole()) {
            return Optional.of(unknown(facts));
        }
        String child = facts.childKill()
                .map(kill -> " One of its processes, " + kill.victimComm() + " (pid " + kill.victimPid()
                        + "), was killed by SIGKILL before: programs that pass on the code of a child end so.")
                .orElse("");
        String oom = facts.ooms().isEmpty()
                ? child
                : " The kernel's OOM killer had killed "
                        + facts.ooms().getFirst().getVictim().getComm()
                        + " in it: programs that pass on the code of a child end so.";
        return Optional.of(new Verdict(
                        Cause.OWN_EXIT,
                        what + " ended by itself with code 137: no SIGKILL reached its main process." + oom)
                .by(Evidence.TRACE));
    }

    private static Optional<Verdict> stopped(ExitFacts facts) {
        if (!facts.endedBy(SIGTERM) && (facts.askedToEnd().isEmpty() || facts.endedBy(SIGKILL))) {
            return Optional.empty();
        }
        String what = ExitWords.subject(facts.reported());
        Optional<SentSignal> term = facts.term();
        if (term.isPresent() && facts.senderOf(term.get()) != SenderKind.UNKNOWN) {
            SenderKind kind = facts.senderOf(term.get());
            String sender = ExitWords.sender(term.get().sender());
            Verdict verdict = kind == SenderKind.RUNTIME || kind == SenderKind.SYSTEMD
                    ? new Verdict(
                            Cause.STOPPED,
                            what + " was asked to end with SIGTERM and ended " + endedAfter(facts) + "; " + sender
                                    + " sent the signal.")
                    : new Verdict(
                            kind == SenderKind.SAME_CONTAINER ? Cause.SAME_CONTAINER_PROCESS : Cause.HOST_PROCESS,
                            sender + " asked " + what + " to end with SIGTERM, and it ended " + endedAfter(facts)
                                    + ".");
            ask(verdict, kind, term.get().sender());
            return Optional.of((kind == SenderKind.RUNTIME
                            ? asker(verdict, facts, facts.has(Kind.STOP) ? "docker stop" : "docker kill -s TERM")
                            : verdict)
                    .by(Evidence.TRACE));
        }
        if (facts.sent(SIGTERM).isPresent()) {
            Verdict verdict = new Verdict(
                    Cause.STOPPED, what + " was asked to end with SIGTERM and ended " + endedAfter(facts) + ".");
            if (term.isPresent()) {
                verdict.by(Evidence.TRACE);
            }
            return Optional.of(asker(verdict, facts, facts.has(Kind.STOP) ? "docker stop" : "docker kill -s TERM"));
        }
        if (term.isPresent()) {
            return Optional.of(new Verdict(
                            Cause.STOPPED,
                            what + " was asked to end with SIGTERM and ended " + endedAfter(facts)
                                    + "; the sender, pid " + term.get().sender().getPid()
                                    + ", was gone before it could be read.")
                    .by(Evidence.TRACE));
        }
        if (facts.knownSignal() == 0 && facts.trace().whole()) {
            return Optional.of(new Verdict(
                            Cause.OWN_EXIT,
                            what + " ended by itself with code " + facts.code()
                                    + ": no SIGTERM reached its main process.")
                    .by(Evidence.TRACE));
        }
        return Optional.of(
                new Verdict(Cause.STOPPED, what + " was ended by SIGTERM; no source says who sent it.").inferred());
    }

    private static String endedAfter(ExitFacts facts) {
        return facts.waited()
                .map(waited -> "after " + ExitWords.span(waited) + " with code " + facts.code())
                .orElse("with code " + facts.code());
    }

    private static Optional<Verdict> crash(ExitFacts facts) {
        int signal = signalOf(facts);
        if (!CRASHES.contains(signal) && signal != SIGSYS) {
            return Optional.empty();
        }
        String what = ExitWords.subject(facts.reported());
        boolean known = facts.knownSignal() == signal;
        Verdict verdict = signal == SIGSYS
                ? new Verdict(
                        Cause.SECCOMP,
                        what + " was ended by SIGSYS: it made a system call that its seccomp filter forbids.")
                : new Verdict(
                        Cause.CRASH,
                        known
                                ? what + " crashed with " + ExitWords.signal(signal) + core(facts) + "."
                                : what + " ended with code " + facts.code() + ", as after a crash with "
                                        + ExitWords.signal(signal) + ".");
        return Optional.of(known ? verdict : verdict.inferred());
    }

    private static String core(ExitFacts facts) {
        if (!facts.reported().hasCoreDumped()) {
            return "";
        }
        return facts.reported().getCoreDumped() ? " and left a core" : " and left no core";
    }

    private static Optional<Verdict> ownExit(ExitFacts facts) {
        int code = facts.code();
        String what = ExitWords.subject(facts.reported());
        if (facts.knownSignal() != 0) {
            return Optional.of(
                    new Verdict(Cause.SIGNAL, what + " was ended by " + ExitWords.signal(facts.knownSignal()) + "."));
        }
        if (code == 127 || code == 126) {
            Cause cause = code == 127 ? Cause.NOT_FOUND : Cause.NOT_EXECUTABLE;
            String shell = code == 127 ? "did not find" : "cannot execute";
            return Optional.of(new Verdict(
                            cause,
                            what + " ended by itself with code " + code + ": a shell says so for a program that it "
                                    + shell + ".")
                    .inferred());
        }
        if (code > ExitFacts.SIGNAL_BASE && code <= ExitFacts.SIGNAL_BASE + 64) {
            return Optional.of(new Verdict(
                            Cause.SIGNAL,
                            what + " ended with code " + code + ", as after " + ExitWords.signal(facts.signalOfCode())
                                    + ".")
                    .inferred());
        }
        return code < 0
                ? Optional.empty()
                : Optional.of(new Verdict(Cause.OWN_EXIT, what + " ended by itself with code " + code + "."));
    }

    private static Verdict unknown(ExitFacts facts) {
        String missing = facts.kill().isPresent() ? "" : facts.trace().missing();
        String sender = facts.kill()
                .filter(ExitRules::isFromSystemCall)
                .map(kill -> "; its sender, pid " + kill.sender().getPid() + ", was gone before it could be read")
                .orElse("; no source says who sent it");
        return new Verdict(
                Cause.UNKNOWN,
                ExitWords.subject(facts.reported()) + " ended"
                        + (facts.code() < 0 ? "" : " with code " + facts.code())
                        + (facts.endedBy(SIGKILL)
                                ? (facts.knownSignal() == SIGKILL ? " by SIGKILL" : ", as after SIGKILL") + sender
                                : "; no source says why")
                        + (missing.isEmpty() ? "." : " (no trace of signals: " + missing + ")."));
    }
}
