package dev.exit137.agent.systemd;

import dev.exit137.proto.v1.ExitSettings;
import java.util.List;

/**
 * What systemd knows of a service apart from its end: its settings, and the units that it follows.
 *
 * @param partOf units whose stop and restart stop it
 * @param bindsTo units whose end, by whatever cause, stops it
 * @param requires units whose stop stops it
 */
record UnitDetails(ExitSettings settings, List<String> partOf, List<String> bindsTo, List<String> requires) {
    static final UnitDetails UNKNOWN =
            new UnitDetails(ExitSettings.getDefaultInstance(), List.of(), List.of(), List.of());

    UnitDetails {
        partOf = List.copyOf(partOf);
        bindsTo = List.copyOf(bindsTo);
        requires = List.copyOf(requires);
    }
}
