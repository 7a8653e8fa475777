package dev.exit137.exitreport.facts;

import java.util.List;

/**
 * What systemd says about the end of a service (systemd.service(5), org.freedesktop.systemd1(5)).
 *
 * @param result {@code Result}: {@code success}, {@code exit-code}, {@code signal}, {@code core-dump}, {@code timeout},
 *     {@code watchdog}, {@code oom-kill}, …
 * @param phase where a timeout struck: {@code start}, {@code stop}, or empty
 * @param byClient systemd sent a signal because a client asked for it ({@code systemctl kill})
 * @param jobType of the job at the end: {@code stop}, {@code restart}, or empty
 * @param dependencies units whose stop or restart led to this one's, the first cause first; empty if none is known
 * @param dependencyKind {@code PartOf}, {@code BindsTo}, {@code Requires}, or empty
 */
public record UnitState(
        String result,
        String phase,
        boolean byClient,
        String jobType,
        List<String> dependencies,
        String dependencyKind) {
    /** Copies the mutable list. */
    public UnitState {
        dependencies = List.copyOf(dependencies);
    }
}
