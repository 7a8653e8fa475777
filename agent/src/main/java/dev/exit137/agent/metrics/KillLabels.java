package dev.exit137.agent.metrics;

import dev.exit137.agent.history.Workloads;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import java.util.List;
import java.util.Locale;

/** The labels of the kill counters; an unknown one is empty. No pod name and no id: their number has no limit. */
record KillLabels(String namespace, String workload, String container, String scope, String limitOwner) {
    /** Names of Kubernetes are shorter; a systemd unit's may have 255 characters. */
    static final int MAX_CHARS = 128;

    static KillLabels of(OomKillEvent event) {
        Container container = event.getContainer();
        Limit.Owner owner = event.getIncident().getLimit().getOwner();
        return new KillLabels(
                cut(container.getPod().getNamespace()),
                cut(Workloads.name(event)),
                cut(container.getName()),
                event.getScope() == Scope.UNKNOWN ? "" : lowerCase(event.getScope()),
                owner == Limit.Owner.UNSPECIFIED ? "" : lowerCase(owner));
    }

    List<String> values() {
        return List.of(namespace, workload, container, scope, limitOwner);
    }

    private static String lowerCase(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }

    private static String cut(String name) {
        if (name.length() <= MAX_CHARS) {
            return name;
        }
        int end = Character.isHighSurrogate(name.charAt(MAX_CHARS - 2)) ? MAX_CHARS - 2 : MAX_CHARS - 1;
        return name.substring(0, end) + "…";
    }
}
