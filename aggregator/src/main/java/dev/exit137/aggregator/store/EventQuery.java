package dev.exit137.aggregator.store;

import com.google.protobuf.Message;
import dev.exit137.proto.v1.EventFilter;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitFilter;
import dev.exit137.proto.v1.OomKillEvent;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collection;
import java.util.Collections;
import java.util.List;

/**
 * A filter in the form of the store.
 *
 * @param kind kind of events
 * @param node node name, or empty
 * @param namespace pod's namespace, or empty
 * @param pod pod's name or uid, or empty
 * @param container container's name or id, or empty
 * @param unit systemd unit, or empty
 * @param scopes numbers of the requested scopes, sorted; empty for any
 * @param causes numbers of the requested causes, sorted; empty for any
 * @param exitCodes requested exit codes, sorted; empty for any
 * @param sinceNanos events at this time or later, nanoseconds since 1970; {@link #ANY_SINCE} for any, unknown included
 * @param untilNanos events before this time, nanoseconds since 1970; {@link #ANY_UNTIL} for any, unknown included
 */
public record EventQuery<E extends Message>(
        EventKind<E> kind,
        String node,
        String namespace,
        String pod,
        String container,
        String unit,
        List<Integer> scopes,
        List<Integer> causes,
        List<Integer> exitCodes,
        long sinceNanos,
        long untilNanos) {
    /** No lower bound of the time. */
    public static final long ANY_SINCE = Long.MIN_VALUE;

    /** No upper bound of the time. */
    public static final long ANY_UNTIL = Long.MAX_VALUE;

    /** Copies the mutable lists. */
    public EventQuery {
        scopes = List.copyOf(scopes);
        causes = List.copyOf(causes);
        exitCodes = List.copyOf(exitCodes);
    }

    /** Converts a filter of kills; its timestamps must be valid. */
    public static EventQuery<OomKillEvent> of(EventFilter filter) {
        return new EventQuery<>(
                EventKind.OOM,
                filter.getNode(),
                filter.getNamespace(),
                filter.getPod(),
                filter.getContainer(),
                "",
                sorted(filter.getScopesValueList()),
                List.of(),
                List.of(),
                filter.hasSince() ? EpochNanos.of(filter.getSince()) : ANY_SINCE,
                filter.hasUntil() ? EpochNanos.of(filter.getUntil()) : ANY_UNTIL);
    }

    /** Converts a filter of ends; its timestamps must be valid. */
    public static EventQuery<ExitEvent> of(ExitFilter filter) {
        return new EventQuery<>(
                EventKind.EXIT,
                filter.getNode(),
                filter.getNamespace(),
                filter.getPod(),
                filter.getContainer(),
                filter.getUnit(),
                List.of(),
                sorted(filter.getCausesValueList()),
                sorted(filter.getExitCodesList()),
                filter.hasSince() ? EpochNanos.of(filter.getSince()) : ANY_SINCE,
                filter.hasUntil() ? EpochNanos.of(filter.getUntil()) : ANY_UNTIL);
    }

    private static List<Integer> sorted(Collection<Integer> numbers) {
        return numbers.stream().distinct().sorted().toList();
    }

    /** Returns the same query, narrowed to events at the given time or later. */
    public EventQuery<E> narrowedTo(long earliestNanos) {
        return new EventQuery<>(
                kind,
                node,
                namespace,
                pod,
                container,
                unit,
                scopes,
                causes,
                exitCodes,
                Math.max(sinceNanos, earliestNanos),
                untilNanos);
    }

    /**
     * Returns a 64-bit hash that distinguishes queries and stays the same across restarts. That of kills is also the same
     * as in the versions that knew no other kind.
     */
    public long fingerprint() {
        String text = "EventQuery[node=%s, namespace=%s, pod=%s, container=%s, scopes=%s, sinceNanos=%d, untilNanos=%d]"
                .formatted(node, namespace, pod, container, scopes, sinceNanos, untilNanos);
        if (kind != EventKind.OOM) {
            text += "[kind=%s, unit=%s, causes=%s, exitCodes=%s]".formatted(kind, unit, causes, exitCodes);
        }
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return ByteBuffer.wrap(hash).getLong();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /**
     * Selects row_id and body of the matching events in a range of rows.
     *
     * @param afterRowId the range begins after this row
     * @param upToRowId the range ends with this row
     * @param order the ORDER BY clause, and any SQL after it
     */
    Select select(long afterRowId, long upToRowId, String order) {
        Select select =
                new Select("SELECT row_id, body FROM event WHERE row_id > ? AND row_id <= ?", afterRowId, upToRowId);
        restrict(select, false);
        return select.then(order);
    }

    /**
     * Adds the query's conditions. A unary plus keeps SQLite from using an index for a column.
     *
     * @param byTime true: use the index by time and none by name, except those of pods and containers; false: the other
     *     way round, because the index by time does not help with a range of rows and their order
     */
    void restrict(Select select, boolean byTime) {
        String name = byTime ? "+" : "";
        boolean either = !pod.isEmpty() || !container.isEmpty();
        String time = byTime && !either ? "" : "+";
        boolean named = !node.isEmpty() || !namespace.isEmpty() || !unit.isEmpty();
        boolean indexed = named || !causes.isEmpty() || !exitCodes.isEmpty();
        // "likely" says that the kind alone finds nearly all rows, so that SQLite takes the index of another condition.
        select.and(either || (indexed && !byTime) ? "likely(kind = ?)" : "kind = ?", kind.number());
        if (!node.isEmpty()) {
            select.and(name + "node = ?", node);
        }
        if (!namespace.isEmpty()) {
            select.and(name + "namespace = ?", namespace);
        }
        if (!pod.isEmpty()) {
            select.and("(pod_name = ? OR pod_uid = ?)", pod, pod);
        }
        if (!container.isEmpty()) {
            select.and("(container_name = ? OR container_id = ?)", container, container);
        }
        if (!unit.isEmpty()) {
            select.and(name + "unit = ?", unit);
        }
        in(select, "scope", scopes);
        in(select, name + "cause", causes);
        in(select, name + "exit_code", exitCodes);
        if (sinceNanos != ANY_SINCE) {
            select.and(time + "time_nanos >= ?", sinceNanos);
        }
        if (untilNanos != ANY_UNTIL) {
            select.and(time + "time_nanos < ?", untilNanos);
        }
    }

    private static void in(Select select, String column, List<Integer> values) {
        if (!values.isEmpty()) {
            String marks = String.join(", ", Collections.nCopies(values.size(), "?"));
            select.and(column + " IN (" + marks + ")", values.toArray());
        }
    }
}
