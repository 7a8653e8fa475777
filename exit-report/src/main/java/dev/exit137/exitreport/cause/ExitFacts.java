package dev.exit137.exitreport.cause;

import com.google.protobuf.Timestamp;
import com.google.protobuf.util.Durations;
import dev.exit137.exitreport.facts.End;
import dev.exit137.exitreport.facts.RuntimeAction;
import dev.exit137.exitreport.facts.SeccompKill;
import dev.exit137.exitreport.facts.SentSignal;
import dev.exit137.exitreport.facts.TraceState;
import dev.exit137.exitreport.facts.UnitState;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.OomKillEvent;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** An end with all evidence about it, and the facts that several rules ask for. */
final class ExitFacts {
    static final int SIGTERM = 15;
    static final int SIGKILL = 9;
    /** A shell and the runtimes report the end by a signal as this plus its number. */
    static final int SIGNAL_BASE = 128;
    /** Kills after the main process's end belong to that end for this time. */
    private static final Duration AFTERMATH = Duration.ofMillis(500);
    /** A call that kills a whole process group, or a cgroup, takes less. */
    private static final Duration ONE_CALL = Duration.ofMillis(100);
    /** A runtime may stamp an end a little before the kernel's record of the kill. */
    private static final Duration SKEW = Duration.ofMillis(500);

    private static final TraceState NO_MAIN_PROCESS = TraceState.without("its main process is not known");

    /** SI_KERNEL, include/uapi/asm-generic/siginfo.h. */
    private static final int KERNEL_CODE = 128;

    private final End end;
    private final List<SentSignal> signals;
    private final List<OomKillEvent> ooms;
    private final @Nullable SeccompKill seccomp;
    private final TraceState trace;

    ExitFacts(
            End end,
            List<SentSignal> signals,
            List<OomKillEvent> ooms,
            @Nullable SeccompKill seccomp,
            TraceState trace) {
        this.seccomp = seccomp;
        this.end = end;
        this.signals = signals;
        this.ooms = ooms;
        // Which signals reached its main process is not known then, however whole the trace is.
        boolean ran = end.reported().hasStartedAt();
        this.trace = trace.whole() && ran && !knowsMainProcess() ? NO_MAIN_PROCESS : trace;
    }

    ExitEvent reported() {
        return end.reported();
    }

    /** Returns the kernel's record that it killed the main process for a system call. */
    Optional<SeccompKill> seccomp() {
        return Optional.ofNullable(seccomp).filter(kill -> endedBy(kill.signal()));
    }

    TraceState trace() {
        return trace;
    }

    List<OomKillEvent> ooms() {
        return ooms;
    }

    boolean knowsMainProcess() {
        return reported().getProcess().hasPid();
    }

    boolean isContainer() {
        return reported().getSubject() == ExitEvent.Subject.CONTAINER;
    }

    /** Returns whether it was a container of the CRI, whose clients ask for stops by no record but the runtime's log. */
    boolean isOfCri() {
        return end.logMissing() != null || reported().getContainer().hasPod();
    }

    /** Returns why the runtime's log cannot say who asked; empty if it was read, or if there is none that could. */
    String logMissing() {
        return end.logMissing() == null ? "" : end.logMissing();
    }

    /** Returns whether the runtime's log was read, whatever is in it. */
    boolean logWasRead() {
        return end.logMissing() != null && end.logMissing().isEmpty();
    }

    @Nullable
    UnitState unit() {
        return end.unit();
    }

    /** Returns the exit code; -1 if it is not known. */
    int code() {
        return reported().hasExitCode() ? reported().getExitCode() : -1;
    }

    /** Returns whether the subject ran at all. */
    boolean started() {
        return reported().hasStartedAt();
    }

    Instant endedAt() {
        Timestamp time = reported().getTime();
        return Instant.ofEpochSecond(time.getSeconds(), time.getNanos());
    }

    /** Returns the signal that ended the main process, from a source that says so; 0 if none does. */
    int knownSignal() {
        if (reported().hasSignal()) {
            return reported().getSignal();
        }
        return kill().isPresent() ? SIGKILL : 0;
    }

    /** Returns the signal that the exit code stands for, unless the program chose that code itself; 0 if none. */
    int signalOfCode() {
        int number = code() - SIGNAL_BASE;
        return number >= 1 && number <= 64 ? number : 0;
    }

    /** Returns the signal that ended it, or the one that its code stands for; 0 if there is none. */
    int signal() {
        return knownSignal() == 0 ? signalOfCode() : knownSignal();
    }

    /** Returns whether the end looks like one by that signal. */
    boolean endedBy(int signal) {
        return knownSignal() == signal || (!reported().hasSignal() && signalOfCode() == signal);
    }

    private boolean isMain(SentSignal signal) {
        return reported().getProcess().hasPid()
                && signal.victimPid() == reported().getProcess().getPid();
    }

    /** Returns the SIGKILL that ended the main process: the first one that the kernel delivered to it. */
    Optional<SentSignal> kill() {
        return signals.stream()
                .filter(signal -> signal.number() == SIGKILL && signal.delivered() && isMain(signal))
                .filter(signal -> !signal.time().isAfter(endedAt().plus(SKEW)))
                .findFirst();
    }

    /** Returns the comm of the main process, as the kernel said it with a signal or an OOM kill. */
    Optional<String> commOfMain() {
        return kill().or(this::term)
                .map(SentSignal::victimComm)
                .or(() -> oomOfMain().map(oom -> oom.getVictim().getComm()))
                .filter(comm -> !comm.isEmpty());
    }

    /**
     * Returns the SIGKILL of a process of the subject, if the main process got none. What the kernel and the runtime kill
     * because the main process has ended is none.
     */
    Optional<SentSignal> childKill() {
        return signals.stream()
                .filter(signal ->
                        signal.number() == SIGKILL && signal.delivered() && !isMain(signal) && !signal.isToShim())
                .filter(signal -> !signal.time().isAfter(endedAt()))
                .filter(signal -> KernelPath.of(signal.kernelPath()) != KernelPath.NAMESPACE_END
                        && senderOf(signal) != SenderKind.RUNTIME)
                .findFirst();
    }

    /** Whether a thread of the main process sent it; that needs nothing of /proc. */
    boolean isOwn(SentSignal kill) {
        return isFromSystemCall(kill)
                && isMain(kill)
                && (kill.sender().getPid() == kill.victimPid()
                        || (kill.sender().hasTgid() && kill.sender().getTgid() == kill.victimPid()));
    }

    /** Returns the last SIGTERM to the main process before the kill, or before the end. */
    Optional<SentSignal> term() {
        Instant before = kill().map(SentSignal::time).orElse(endedAt().plus(SKEW));
        return signals.stream()
                .filter(signal -> signal.number() == SIGTERM && isMain(signal))
                .filter(signal -> !signal.time().isAfter(before))
                .reduce((_, last) -> last);
    }

    /** Returns the SIGKILL of the container's shim, its parent, shortly before the end. */
    Optional<SentSignal> shimKill() {
        return signals.stream()
                .filter(signal -> signal.number() == SIGKILL && signal.delivered() && signal.isToShim())
                .findFirst();
    }

    /** Returns the kills that followed from the end, and those that the same call sent to others. */
    List<SentSignal> aftermath() {
        Optional<SentSignal> kill = kill();
        Optional<Instant> killed = kill.map(SentSignal::time);
        Instant begin = killed.orElse(endedAt().minus(SKEW));
        Instant end = killed.orElse(endedAt()).plus(AFTERMATH);
        return signals.stream()
                .filter(signal -> signal.number() == SIGKILL && !isMain(signal) && !signal.isToShim())
                .filter(signal -> !signal.time().isBefore(begin)
                        || kill.filter(first -> isOfOneCall(signal, first)).isPresent())
                .filter(signal -> !signal.time().isAfter(end))
                .toList();
    }

    /** Whether it was sent just before, by the same thread: the kernel goes through a process group in its own order. */
    private static boolean isOfOneCall(SentSignal before, SentSignal kill) {
        return before.sender().getPid() == kill.sender().getPid()
                && !before.time().isBefore(kill.time().minus(ONE_CALL));
    }

    /** Returns the OOM kill of the main process. */
    Optional<OomKillEvent> oomOfMain() {
        return ooms.stream()
                .filter(oom -> oom.getVictim().getIsContainerInit()
                        || (oom.getVictim().hasPid()
                                && reported().getProcess().hasPid()
                                && oom.getVictim().getPid()
                                        == reported().getProcess().getPid()))
                .findFirst();
    }

    SenderKind senderOf(SentSignal signal) {
        return SenderKind.of(
                signal.sender(),
                isInOne() ? signal.victimCgroup() : "",
                reported().getContainer().getId(),
                isService() ? reported().getUnit() : "");
    }

    private boolean isService() {
        return !reported().hasContainer() && reported().getUnit().endsWith(".service");
    }

    /** Whether the subject is, or is in, a container or a service: processes of a login share no more than their user. */
    private boolean isInOne() {
        return reported().getSubject() != ExitEvent.Subject.PROCESS
                || reported().hasContainer()
                || isService();
    }

    /** Returns whether the signal ended it, or followed from its end. */
    boolean isPart(SentSignal signal) {
        return kill().filter(signal::equals).isPresent()
                || shimKill().filter(signal::equals).isPresent()
                || aftermath().contains(signal);
    }

    boolean has(RuntimeAction.Kind kind) {
        return action(kind).isPresent();
    }

    Optional<RuntimeAction> action(RuntimeAction.Kind kind) {
        return end.actions().stream().filter(action -> action.kind() == kind).findFirst();
    }

    /** Returns the runtime's own record that it sent a signal; the last one before the end. */
    Optional<RuntimeAction> sent(int signal) {
        return end.actions().stream()
                .filter(action -> action.kind() == RuntimeAction.Kind.KILL
                        && action.signal() != null
                        && action.signal() == signal)
                .filter(action -> !action.time().isAfter(endedAt().plusSeconds(1)))
                .reduce((_, last) -> last);
    }

    /** Returns the last call of the CRI before the end by which a client had the container end; empty if none is known. */
    Optional<RuntimeAction> criRequest() {
        return end.actions().stream()
                .filter(action -> switch (action.kind()) {
                    case STOP, STOP_POD, REMOVE -> true;
                    case KILL, START_FAILED, DIE, OOM, DESTROY, RESTART, PAUSE -> false;
                })
                .filter(action -> !action.time().isAfter(endedAt()))
                .reduce((_, last) -> last);
    }

    /** Returns when it was asked to end, by the trace or the runtime's record. */
    Optional<Instant> askedToEnd() {
        return term().map(SentSignal::time).or(() -> sent(SIGTERM).map(RuntimeAction::time));
    }

    /** Returns the time from the request to end to the kill, or to the end. */
    Optional<Duration> waited() {
        Instant until = kill().map(SentSignal::time)
                .or(() -> sent(SIGKILL).map(RuntimeAction::time))
                .orElse(endedAt());
        return askedToEnd().map(begin -> Duration.between(begin, until)).filter(time -> !time.isNegative());
    }

    /** Returns the grace period that a client or the settings gave; empty if it was another than that of the settings. */
    Optional<Duration> grace() {
        Optional<Duration> given = end.actions().stream()
                .map(RuntimeAction::grace)
                .filter(grace -> grace != null)
                .reduce((_, last) -> last);
        return given.or(this::usualGrace);
    }

    /** The grace period of the settings, unless it was killed earlier: Docker does not record that of docker stop -t. */
    private Optional<Duration> usualGrace() {
        if (!reported().getSettings().hasStopGrace()) {
            return Optional.empty();
        }
        Duration usual =
                Duration.ofNanos(Durations.toNanos(reported().getSettings().getStopGrace()));
        boolean another = endedBy(SIGKILL)
                && waited().filter(waited -> waited.compareTo(usual) < 0).isPresent();
        return another ? Optional.empty() : Optional.of(usual);
    }

    /** Whether a process sent it: on all other ways the process that ran is not the sender. */
    static boolean isFromSystemCall(SentSignal kill) {
        KernelPath path = KernelPath.of(kill.kernelPath());
        boolean kernels = kill.code() == KERNEL_CODE || kill.inInterrupt();
        return !kernels
                && (path == KernelPath.SYSTEM_CALL || path == KernelPath.CGROUP_KILL || path == KernelPath.UNKNOWN);
    }
}
