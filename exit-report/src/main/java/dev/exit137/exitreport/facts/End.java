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
 */
public record End(
        ExitEvent reported,
        List<RuntimeAction> actions,
        @Nullable UnitState unit) {
    /** Copies the mutable list. */
    public End {
        actions = List.copyOf(actions);
    }
}
