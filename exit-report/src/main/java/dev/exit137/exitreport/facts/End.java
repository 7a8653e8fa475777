package dev.exit137.exitreport.facts;

import dev.exit137.proto.v1.ExitEvent;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An end as a runtime or systemd reports it, before its cause is known.
 *
 * @param reported subject, container or unit, main process, exit code, signal, times, settings, and the source as
 *     evidence; no cause
 * @param actions the runtime's own record of the container's last moments, oldest first
 * @param unit what systemd says; null for a container
 * @param logMissing why the runtime's log cannot say who asked, fit for a user; empty if it was read, null if that log has
 *     no such requests
 */
public record End(
        ExitEvent reported,
        List<RuntimeAction> actions,
        @Nullable UnitState unit,
        @Nullable String logMissing) {
    /** Copies the mutable list. */
    public End {
        actions = List.copyOf(actions);
    }

    /** An end of which no log of a runtime can say more. */
    public End(ExitEvent reported, List<RuntimeAction> actions, @Nullable UnitState unit) {
        this(reported, actions, unit, null);
    }
}
