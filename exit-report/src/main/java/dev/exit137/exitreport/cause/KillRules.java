package dev.exit137.exitreport.cause;

import static dev.exit137.exitreport.cause.ExitFacts.SIGKILL;

import dev.exit137.exitreport.facts.RuntimeAction.Kind;
import dev.exit137.exitreport.facts.SentSignal;
import dev.exit137.exitreport.words.ExitWords;
import dev.exit137.proto.v1.AskedBy;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.Sender;
import java.util.Objects;
import java.util.Optional;

/** Which process, or which part of the kernel, sent the SIGKILL. */
final class KillRules {
    private KillRules() {}

    static Optional<Verdict> oomKill(ExitFacts facts) {
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

    static Optional<Verdict> shim(ExitFacts facts) {
        boolean afterIt = facts.action(Kind.DIE)
                        .filter(die -> Objects.equals(die.exitCode(), RuntimeRules.CODE_WITHOUT_SHIM))
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

    static Optional<Verdict> killByKernel(ExitFacts facts) {
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

    static Optional<Verdict> seccomp(ExitFacts facts) {
        return facts.seccomp()
                .map(kill -> new Verdict(
                                Cause.SECCOMP,
                                ExitWords.subject(facts.reported()) + " made system call " + kill.systemCall()
                                        + ", which its seccomp filter or mode forbids, so the kernel killed it with "
                                        + ExitWords.signal(kill.signal()) + ".")
                        .by(Evidence.KMSG));
    }

    static Optional<Verdict> itself(ExitFacts facts) {
        return facts.kill()
                .filter(facts::isOwn)
                .map(kill -> new Verdict(
                                Cause.SAME_CONTAINER_PROCESS,
                                ExitWords.subject(facts.reported())
                                        + " killed itself: its main process sent SIGKILL to itself.")
                        .by(Evidence.TRACE));
    }

    static Optional<Verdict> killBySender(ExitFacts facts) {
        return facts.kill().filter(ExitFacts::isFromSystemCall).flatMap(kill -> {
            String what = ExitWords.subject(facts.reported());
            Sender sender = kill.sender();
            SenderKind kind = facts.senderOf(kill);
            Optional<Verdict> verdict = switch (kind) {
                case RUNTIME -> {
                    Verdict found = RuntimeRules.runtimeKill(facts, ExitWords.sender(sender));
                    boolean byName = SenderKind.isLeavingMessenger(sender) && !RuntimeRules.isRecorded(facts, kill);
                    yield Optional.of(byName ? found.inferred() : found);
                }
                case SYSTEMD -> Optional.of(UnitRules.unitResult(facts).orElseGet(() -> UnitRules.bySystemd(facts)));
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

    static void ask(Verdict verdict, SenderKind kind, Sender sender) {
        String program = SenderKind.program(sender.getExe());
        switch (kind) {
            case PERSON -> verdict.asked(AskedBy.Kind.PERSON, program);
            case PROGRAM ->
                verdict.asked(AskedBy.Kind.PROGRAM, SenderKind.scheduler(sender).orElse(program));
            case OTHER_CONTAINER, SAME_CONTAINER, PRESSURE_KILLER -> verdict.asked(AskedBy.Kind.PROGRAM, program);
            case SYSTEMD -> verdict.asked(AskedBy.Kind.SYSTEMD, "");
            case RUNTIME, UNKNOWN -> {
                // The runtime is a messenger, and of an unknown sender nothing is known.
            }
        }
    }
}
