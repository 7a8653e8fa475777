package dev.exit137.cli.local;

import dev.exit137.exitreport.facts.End;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.OomKillEvent;
import java.time.Duration;
import java.time.Instant;

/**
 * An end that was found after the fact.
 *
 * @param program the main process's comm as far as it is known: the name of its program, at most 15 bytes; or empty
 */
record LocalEnd(End end, String program) {
    private static final Duration BEFORE_START = Duration.ofSeconds(1);
    /** The runtime reports an end up to this long after the kernel's kill; the kernel's log has a clock of its own. */
    private static final Duration REPORT_DELAY = Duration.ofSeconds(3);

    private ExitEvent reported() {
        return end.reported();
    }

    Instant ended() {
        return Host.instant(reported().getTime());
    }

    /** Whether an OOM kill in the same cgroup is of this life. A kill without a time is of any. */
    boolean covers(OomKillEvent kill) {
        if (!kill.hasTime()) {
            return true;
        }
        Instant time = Host.instant(kill.getTime());
        boolean afterStart = !reported().hasStartedAt()
                || !time.isBefore(Host.instant(reported().getStartedAt()).minus(BEFORE_START));
        return afterStart && !time.isAfter(ended().plus(REPORT_DELAY));
    }

    /**
     * Whether the OOM kill was that of the main process. Nothing says so after the fact, so all of this is required: the
     * end looks like a SIGKILL, it followed at once, no client asked for it, and the victim was alone in the kernel's
     * report, or has the program's name.
     */
    boolean isEndedBy(OomKillEvent kill) {
        if (reported().getExitCode() != 137 || !isAtItsEnd(kill)) {
            return false;
        }
        return !isAsked()
                && (isAlone(kill)
                        || (!program.isEmpty() && kill.getVictim().getComm().equals(program)));
    }

    /** Whether the kill came so shortly before the end that it may be its reason. */
    boolean isAtItsEnd(OomKillEvent kill) {
        return kill.hasTime()
                && Duration.between(Host.instant(kill.getTime()), ended()).abs().compareTo(REPORT_DELAY) <= 0;
    }

    /** Whether a client of the runtime had a signal sent to it. */
    boolean isAsked() {
        return end.actions().stream().anyMatch(action -> action.signal() != null);
    }

    /** Whether the kernel's report shows no other process where the victim was. */
    static boolean isAlone(OomKillEvent kill) {
        return kill.getIncident().getTasksCount() == 1 && !kill.getIncident().hasTasksOmitted();
    }
}
