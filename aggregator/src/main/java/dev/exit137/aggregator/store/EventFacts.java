package dev.exit137.aggregator.store;

import com.google.gson.JsonObject;
import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.OomKillEvent;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What the store's columns and counters hold of an event, of whichever kind. The whole event takes several times the
 * memory of its bytes, so the other fields do not wait in the queue.
 *
 * @param kind of event
 * @param eventId its id, unique in its kind and node
 * @param revision unsigned
 * @param node name of the node
 * @param recovered whether it happened before the agent was watching
 * @param timeNanos when it happened, nanoseconds since 1970; null if not known
 * @param container the container, without values if there is none
 * @param unit the systemd unit, or empty
 * @param labels labels of the pod and of Docker Compose, as a JSON object, so that SQLite can look up one by its name;
 *     null without labels
 * @param limitOwner number of the owner of the limit
 * @param killed whether a SIGKILL ended a process
 * @param incident id of the OOM; null if there is none
 * @param scope number of the scope of an OOM
 * @param cause number of the cause of an end; null for other kinds
 * @param exitCode exit code; null if not known, and for other kinds
 */
public record EventFacts(
        EventKind<?> kind,
        String eventId,
        int revision,
        String node,
        boolean recovered,
        @Nullable Long timeNanos,
        Container container,
        String unit,
        @Nullable String labels,
        int limitOwner,
        boolean killed,
        @Nullable String incident,
        int scope,
        @Nullable Integer cause,
        @Nullable Integer exitCode) {
    private static final int SIGKILL = 9;

    /** Returns the facts of a kill by the kernel. */
    public static EventFacts of(OomKillEvent event) {
        String incident = event.getIncident().getId();
        return new EventFacts(
                EventKind.OOM,
                event.getEventId(),
                event.getRevision(),
                event.getNode().getName(),
                event.getRecovered(),
                event.hasTime() ? nanos(event.getTime()) : null,
                event.getContainer(),
                event.getUnit(),
                labels(event.getContainer(), event.getComposeLabelsMap()),
                event.getIncident().getLimit().getOwnerValue(),
                event.getOutcome() == OomKillEvent.Outcome.KILLED,
                incident.isEmpty() ? event.getEventId() : incident,
                event.getScopeValue(),
                null,
                null);
    }

    /** Returns the facts of an end. */
    public static EventFacts of(ExitEvent event) {
        return new EventFacts(
                EventKind.EXIT,
                event.getEventId(),
                event.getRevision(),
                event.getNode().getName(),
                event.getRecovered(),
                event.hasTime() ? nanos(event.getTime()) : null,
                event.getContainer(),
                event.getUnit(),
                labels(event.getContainer(), event.getComposeLabelsMap()),
                event.getLimitOwnerValue(),
                event.getSignal() == SIGKILL,
                null,
                0,
                event.getCauseValue(),
                event.hasExitCode() ? event.getExitCode() : null);
    }

    private static Long nanos(Timestamp time) {
        return EpochNanos.of(time);
    }

    private static @Nullable String labels(Container container, Map<String, String> composeLabels) {
        Map<String, String> labels = new TreeMap<>(composeLabels);
        labels.putAll(container.getPod().getLabelsMap());
        if (labels.isEmpty()) {
            return null;
        }
        JsonObject object = new JsonObject();
        labels.forEach(object::addProperty);
        return object.toString();
    }
}
