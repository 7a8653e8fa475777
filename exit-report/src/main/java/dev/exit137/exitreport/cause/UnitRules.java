package dev.exit137.exitreport.cause;

import static dev.exit137.exitreport.cause.ExitFacts.SIGTERM;

import dev.exit137.exitreport.facts.UnitState;
import dev.exit137.exitreport.words.ExitWords;
import dev.exit137.proto.v1.AskedBy;
import dev.exit137.proto.v1.ExitEvent.Cause;
import java.util.Optional;

/** What systemd did with a service. */
final class UnitRules {
    private UnitRules() {}

    static Optional<Verdict> unitResult(ExitFacts facts) {
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
