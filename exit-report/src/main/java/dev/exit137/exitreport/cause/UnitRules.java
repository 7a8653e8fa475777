package dev.exit137.exitreport.cause;

import static dev.exit137.exitreport.cause.ExitFacts.SIGKILL;
import static dev.exit137.exitreport.cause.ExitFacts.SIGTERM;

import dev.exit137.exitreport.facts.UnitState;
import dev.exit137.exitreport.words.ExitWords;
import dev.exit137.proto.v1.AskedBy;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import java.util.Optional;

/** What systemd did with a service. */
final class UnitRules {
    /** EXIT_EXEC, systemd.exec(5). */
    private static final int EXIT_EXEC = 203;
    /** Codes of the process that is to become the main program. */
    private static final int FIRST_OF_SYSTEMD = 200;

    private static final int LAST_OF_SYSTEMD = 245;
    private static final int ENOENT = 2;

    private UnitRules() {}

    static Optional<Verdict> unitResult(ExitFacts facts) {
        UnitState unit = facts.unit();
        if (unit == null) {
            return Optional.empty();
        }
        String what = facts.reported().getUnit();
        Verdict verdict = switch (unit.result()) {
            case "timeout" -> timeout(facts, unit, what);
            case "watchdog" ->
                new Verdict(
                        Cause.SYSTEMD_WATCHDOG,
                        what + " did not report to systemd in time (WatchdogSec), so systemd ended it.");
            default -> null;
        };
        if (verdict == null && unit.byClient()) {
            verdict = new Verdict(
                    Cause.SYSTEMD_CLIENT_REQUEST,
                    "A client of systemd had " + what + " ended by " + ExitWords.signal(facts.signal())
                            + " (systemctl kill).");
            verdict.asked(AskedBy.Kind.SYSTEMD_JOB, "systemctl kill");
        }
        if (verdict == null && !unit.dependencies().isEmpty()) {
            verdict = new Verdict(
                            Cause.SYSTEMD_DEPENDENCY,
                            "systemd ended " + what + because(unit) + ": their jobs came together.")
                    .inferred();
        }
        // The journal has no code of a unit that ended well.
        boolean byStop =
                facts.endedBy(SIGTERM) || (facts.code() < 0 && unit.result().equals("success"));
        if (verdict == null && !unit.jobType().isEmpty() && byStop) {
            verdict = new Verdict(
                    Cause.SYSTEMD_CLIENT_REQUEST, "A client of systemd had " + what + " " + past(unit.jobType()) + ".");
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
        if (facts.knownSignal() != SIGKILL
                && facts.term()
                        .filter(term -> facts.senderOf(term) == SenderKind.SYSTEMD)
                        .isPresent()) {
            verdict.by(Evidence.TRACE);
        }
        return Optional.of(verdict);
    }

    private static Verdict timeout(ExitFacts facts, UnitState unit, String what) {
        return switch (unit.phase()) {
            case "start" ->
                new Verdict(
                        Cause.SYSTEMD_START_TIMEOUT,
                        what + " did not start in time (TimeoutStartSec), so systemd ended it.");
            case "runtime" ->
                facts.endedBy(SIGKILL)
                        ? new Verdict(
                                Cause.SYSTEMD_STOP_TIMEOUT,
                                what + " ran as long as RuntimeMaxSec allows and then did not stop in time"
                                        + " (TimeoutStopSec), so systemd killed it.")
                        : new Verdict(
                                Cause.STOPPED, what + " ran as long as RuntimeMaxSec allows, so systemd ended it.");
            default ->
                new Verdict(
                        Cause.SYSTEMD_STOP_TIMEOUT,
                        what + " did not stop in time (TimeoutStopSec), so systemd killed it" + because(unit) + ".");
        };
    }

    /** systemd could not execute the main program: it, or what it needs, is not there or is not allowed. */
    static Optional<Verdict> startFailure(ExitFacts facts) {
        UnitState unit = facts.unit();
        if (unit == null || facts.knownSignal() != 0) {
            return Optional.empty();
        }
        String what = facts.reported().getUnit();
        UnitState.StartFailure failure = unit.startFailure();
        if (failure == null) {
            return facts.code() == EXIT_EXEC
                    ? Optional.of(new Verdict(
                                    Cause.NOT_EXECUTABLE,
                                    what
                                            + " ended with code 203: systemd says so for a program that it cannot execute.")
                            .inferred())
                    : Optional.empty();
        }
        if (facts.code() < FIRST_OF_SYSTEMD || facts.code() > LAST_OF_SYSTEMD) {
            return Optional.empty();
        }
        Verdict verdict;
        if (!failure.step().equals("EXEC")) {
            verdict = new Verdict(
                    Cause.RUNTIME_ERROR,
                    "systemd could not start the program of " + what + ": its step " + failure.step()
                            + " failed (systemd.exec(5), code " + facts.code() + ").");
        } else if (failure.errno() == ENOENT) {
            verdict = new Verdict(
                    Cause.NOT_FOUND,
                    "systemd did not find the program of " + what + ", or the interpreter that it names.");
        } else {
            verdict = new Verdict(
                    Cause.NOT_EXECUTABLE, "systemd found the program of " + what + " and cannot execute it.");
        }
        return Optional.of(verdict.inferred());
    }

    private static String past(String jobType) {
        return jobType.equals("restart") ? "restarted" : "stopped";
    }

    private static String because(UnitState unit) {
        return unit.dependencies().isEmpty()
                ? ""
                : " because of " + String.join(", ", unit.dependencies()) + " (" + unit.dependencyKind() + ")";
    }

    static Verdict bySystemd(ExitFacts facts) {
        return new Verdict(
                        Cause.SYSTEMD_CLIENT_REQUEST,
                        "systemd killed " + ExitWords.subject(facts.reported()) + "; no source says who asked.")
                .inferred();
    }
}
