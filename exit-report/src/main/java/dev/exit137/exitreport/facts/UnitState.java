package dev.exit137.exitreport.facts;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What systemd says about the end of a service (systemd.service(5), org.freedesktop.systemd1(5)).
 *
 * @param invocationId of the life that ended, as the journal writes it; empty if not known
 * @param result {@code Result}: {@code success}, {@code exit-code}, {@code signal}, {@code core-dump}, {@code timeout},
 *     {@code watchdog}, {@code oom-kill}, …
 * @param phase where a timeout struck: {@code start}, {@code stop}, {@code runtime} (RuntimeMaxSec), or empty
 * @param byClient systemd sent the signal that ended it because a client asked for it ({@code systemctl kill})
 * @param jobType of the job at the end: {@code stop}, {@code restart}, or empty
 * @param dependencies units whose stop or restart led to this one's, the first cause first; empty if none is known
 * @param dependencyKind {@code PartOf}, {@code BindsTo}, {@code Requires}, or empty
 * @param startFailure why systemd could not execute the main program; null if it could, or that is not known
 */
public record UnitState(
        String invocationId,
        String result,
        String phase,
        boolean byClient,
        String jobType,
        List<String> dependencies,
        String dependencyKind,
        @Nullable StartFailure startFailure) {
    /**
     * What the process that was to become the main program said before it gave up.
     *
     * @param step {@code EXEC}, {@code CHDIR}, {@code USER}, … (systemd.exec(5), "Process Exit Codes")
     * @param errno of the step; 0 if not stated
     */
    public record StartFailure(String step, int errno) {}

    /** Copies the mutable list. */
    public UnitState {
        dependencies = List.copyOf(dependencies);
    }
}
