package dev.exit137.exitreport.cause;

import static dev.exit137.exitreport.cause.ExitFacts.SIGKILL;
import static dev.exit137.exitreport.cause.ExitFacts.SIGTERM;

import dev.exit137.exitreport.facts.RuntimeAction.Kind;
import dev.exit137.exitreport.facts.SentSignal;
import dev.exit137.exitreport.words.ExitWords;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import java.util.Optional;
import java.util.Set;

/** What the exit code says where no SIGKILL is known. */
final class CodeRules {
    /** Signals whose default action is a core dump (signal(7)), but those that people send from a terminal. */
    private static final Set<Integer> CRASHES = Set.of(4, 5, 6, 7, 8, 11);

    private static final int SIGSYS = 31;

    private CodeRules() {}

    static Optional<Verdict> sigkillWithoutASender(ExitFacts facts) {
        if (!facts.endedBy(SIGKILL)) {
            return Optional.empty();
        }
        String what = ExitWords.subject(facts.reported());
        // systemd tells a code from a signal.
        boolean exited =
                facts.unit() != null && facts.code() >= 0 && !facts.reported().hasSignal();
        if (facts.knownSignal() == SIGKILL || !(facts.trace().whole() || exited)) {
            return Optional.of(unknown(facts));
        }
        String child = facts.childKill()
                .map(kill -> " One of its processes, " + kill.victimComm() + " (pid " + kill.victimPid()
                        + "), was killed by SIGKILL before" + by(facts, kill)
                        + ": programs that pass on the code of a child end so.")
                .orElse("");
        String oom = facts.ooms().isEmpty()
                ? child
                : " The kernel's OOM killer had killed "
                        + facts.ooms().getFirst().getVictim().getComm()
                        + " in it: programs that pass on the code of a child end so.";
        Verdict verdict = new Verdict(
                Cause.OWN_EXIT, what + " ended by itself with code 137: no SIGKILL reached its main process." + oom);
        return Optional.of(facts.trace().whole() ? verdict.by(Evidence.TRACE) : verdict);
    }

    private static String by(ExitFacts facts, SentSignal kill) {
        return ExitFacts.isFromSystemCall(kill) && facts.senderOf(kill) != SenderKind.UNKNOWN
                ? ", by " + ExitWords.sender(kill.sender())
                : "";
    }

    static Optional<Verdict> stopped(ExitFacts facts) {
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
            KillRules.ask(verdict, kind, term.get().sender());
            return Optional.of((kind == SenderKind.RUNTIME
                            ? RuntimeRules.asker(
                                    verdict, facts, facts.has(Kind.STOP) ? "docker stop" : "docker kill -s TERM")
                            : verdict)
                    .by(Evidence.TRACE));
        }
        if (facts.sent(SIGTERM).isPresent()) {
            Verdict verdict = new Verdict(
                    Cause.STOPPED, what + " was asked to end with SIGTERM and ended " + endedAfter(facts) + ".");
            if (term.isPresent()) {
                verdict.by(Evidence.TRACE);
            }
            return Optional.of(
                    RuntimeRules.asker(verdict, facts, facts.has(Kind.STOP) ? "docker stop" : "docker kill -s TERM"));
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

    static Optional<Verdict> crash(ExitFacts facts) {
        int signal = facts.signal();
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

    static Optional<Verdict> ownExit(ExitFacts facts) {
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
        if (code == RuntimeRules.CODE_WITHOUT_SHIM
                && !facts.trace().whole()
                && facts.reported().getEvidenceList().contains(Evidence.DOCKER)) {
            return Optional.of(new Verdict(
                            Cause.OWN_EXIT,
                            what + " ended with code 255: its program chose that code, or its shim died before it, for"
                                    + " which Docker says 255, too.")
                    .inferred());
        }
        return code < 0
                ? Optional.empty()
                : Optional.of(new Verdict(Cause.OWN_EXIT, what + " ended by itself with code " + code + "."));
    }

    static Verdict unknown(ExitFacts facts) {
        String missing = facts.kill().isPresent() ? "" : facts.trace().missing();
        String sender = facts.kill()
                .filter(ExitFacts::isFromSystemCall)
                .map(kill -> "; its sender, pid " + kill.sender().getPid() + ", was gone before it could be read")
                .orElse("; no source says who sent it");
        return new Verdict(
                Cause.UNKNOWN,
                ExitWords.subject(facts.reported()) + " ended"
                        + (facts.code() < 0 ? "" : " with code " + facts.code())
                        + (facts.endedBy(SIGKILL)
                                ? (facts.knownSignal() == SIGKILL ? " by SIGKILL" : ", as after SIGKILL") + sender
                                : "; no source says why")
                        + (missing.isEmpty() ? "." : " (no trace of the signal: " + missing + ")."));
    }
}
