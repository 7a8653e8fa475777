package dev.exit137.cli.render;

import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.Losses;
import dev.exit137.proto.v1.NodeState;
import dev.exit137.proto.v1.SourceStatus;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** A table of agents, one line each, with the agent's problems and losses at the end. */
public final class NodeTable {
    private static final List<String> HEADER = List.of(
            "NODE", "STATE", "VERSION", "KERNEL", "CGROUP", "WATCHED", "UNSENT", "UNACCOUNTED", "SOURCES AND LOSSES");

    private NodeTable() {}

    /** The lines of the table, its header first. */
    public static List<String> of(List<NodeState> nodes, Instant now) {
        List<List<String>> rows = new ArrayList<>();
        rows.add(HEADER);
        nodes.forEach(node -> rows.add(row(node, now)));
        return Columns.aligned(rows);
    }

    /** Unexpected exceptions that a daemon survived, as text; one entry for each place, in alphabetical order. */
    public static List<String> internalErrors(Map<String, Long> counts) {
        return new TreeMap<>(counts)
                .entrySet().stream()
                        .map(error ->
                                "internal errors in " + error.getKey() + ": " + Long.toUnsignedString(error.getValue()))
                        .toList();
    }

    private static List<String> row(NodeState node, Instant now) {
        AgentStatus status = node.getStatus();
        return List.of(
                Text.printable(status.getNode().getName()),
                node.getConnected()
                        ? "connected"
                        : "gone for " + age(Duration.between(Text.instant(node.getLastSeen()), now)),
                orDash(status.getAgentVersion()),
                orDash(status.getNode().getKernelRelease()),
                status.getCgroupMode().name().toLowerCase(Locale.ROOT),
                Long.toUnsignedString(status.getWatchedCgroups()),
                Long.toUnsignedString(status.getUnacknowledgedEvents()),
                status.getBalance().hasVmstatOomKill()
                        ? Long.toString(status.getBalance().getUnaccounted())
                        : "-",
                Text.printable(troubles(status)));
    }

    private static String orDash(String value) {
        return value.isEmpty() ? "-" : Text.printable(value);
    }

    private static String troubles(AgentStatus status) {
        List<String> troubles = new ArrayList<>();
        for (SourceStatus source : status.getSourcesList()) {
            if (source.getState() != SourceStatus.State.ACTIVE) {
                troubles.add(source.getName() + " " + source.getState().name().toLowerCase(Locale.ROOT)
                        + (source.getDetail().isEmpty() ? "" : ": " + source.getDetail()));
            }
        }
        Losses losses = status.getLosses();
        losses.toBuilder()
                .clearInternalErrors()
                .build()
                .getAllFields()
                .forEach((field, count) -> troubles.add(field.getName().replace('_', ' ') + ": " + count));
        troubles.addAll(internalErrors(losses.getInternalErrorsMap()));
        return troubles.isEmpty() ? "all well" : String.join("; ", troubles);
    }

    private static String age(Duration age) {
        if (age.toDays() > 0) {
            return age.toDays() + "d";
        }
        if (age.toHours() > 0) {
            return age.toHours() + "h";
        }
        return age.toMinutes() > 0 ? age.toMinutes() + "m" : Math.max(0, age.toSeconds()) + "s";
    }
}
