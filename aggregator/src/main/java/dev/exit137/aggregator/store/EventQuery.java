package dev.exit137.aggregator.store;

import dev.exit137.proto.v1.EventFilter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;

/**
 * A filter in the form of the store.
 *
 * @param node node name, or empty
 * @param namespace pod's namespace, or empty
 * @param pod pod's name or uid, or empty
 * @param container container's name or id, or empty
 * @param scopes numbers of the requested scopes, sorted; empty for any
 * @param sinceNanos kills at this time or later, nanoseconds since 1970; {@link #ANY_SINCE} for any, unknown included
 * @param untilNanos kills before this time, nanoseconds since 1970; {@link #ANY_UNTIL} for any, unknown included
 */
public record EventQuery(
        String node,
        String namespace,
        String pod,
        String container,
        List<Integer> scopes,
        long sinceNanos,
        long untilNanos) {
    /** No lower bound of the time. */
    public static final long ANY_SINCE = Long.MIN_VALUE;

    /** No upper bound of the time. */
    public static final long ANY_UNTIL = Long.MAX_VALUE;

    /** Copies the mutable list. */
    public EventQuery {
        scopes = List.copyOf(scopes);
    }

    /** Converts a filter; its timestamps must be valid. */
    public static EventQuery of(EventFilter filter) {
        return new EventQuery(
                filter.getNode(),
                filter.getNamespace(),
                filter.getPod(),
                filter.getContainer(),
                filter.getScopesValueList().stream().distinct().sorted().toList(),
                filter.hasSince() ? EpochNanos.of(filter.getSince()) : ANY_SINCE,
                filter.hasUntil() ? EpochNanos.of(filter.getUntil()) : ANY_UNTIL);
    }

    /** Returns the same query, narrowed to kills at the given time or later. */
    public EventQuery narrowedTo(long earliestNanos) {
        return new EventQuery(node, namespace, pod, container, scopes, Math.max(sinceNanos, earliestNanos), untilNanos);
    }

    /** Returns a 64-bit hash that distinguishes queries and stays the same across restarts. */
    public long fingerprint() {
        try {
            byte[] text = toString().getBytes(StandardCharsets.UTF_8);
            return ByteBuffer.wrap(MessageDigest.getInstance("SHA-256").digest(text))
                    .getLong();
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
     * @param byTime true: use the index by time and none by name; false: the other way round, because the index by time
     *     does not help with a range of rows and their order
     */
    void restrict(Select select, boolean byTime) {
        String name = byTime ? "+" : "";
        String time = byTime ? "" : "+";
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
        if (!scopes.isEmpty()) {
            String marks = String.join(", ", scopes.stream().map(scope -> "?").toList());
            select.and("scope IN (" + marks + ")", scopes.toArray());
        }
        if (sinceNanos != ANY_SINCE) {
            select.and(time + "time_nanos >= ?", sinceNanos);
        }
        if (untilNanos != ANY_UNTIL) {
            select.and(time + "time_nanos < ?", untilNanos);
        }
    }
}
