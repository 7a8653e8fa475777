package dev.exit137.aggregator.ingest;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Duration;
import com.google.protobuf.Message;
import com.google.protobuf.Timestamp;
import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.PublishEventsRequest;
import dev.exit137.proto.v1.StopRequest;
import dev.exit137.proto.v1.WorkloadOom;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The rules that a message must keep to be stored; a broken rule is reported with its field. */
final class MessageRules {
    static final int MAX_EVENT_ID_BYTES = 256;

    // The longest node name that Kubernetes allows: a DNS subdomain.
    static final int MAX_NODE_NAME_BYTES = 253;

    // Many statuses fit into a page of ListNodes.
    static final int MAX_STATUS_BYTES = 64 << 10;

    // Paths, names and the kernel's own lines are far shorter. An event of many tasks is large, but none of its texts
    // is.
    static final int MAX_TEXT_BYTES = 64 << 10;

    private static final int MAX_EXIT_CODE = 255;

    private MessageRules() {}

    /** Returns the broken rule, or empty. */
    static Optional<String> broken(Published published) {
        PublishEventsRequest message = published.message();
        return switch (message.getMessageCase()) {
            case EVENT -> broken(message.getEvent()).or(() -> longText(published, "event", message.getEvent()));
            case EXIT -> broken(message.getExit()).or(() -> longText(published, "exit", message.getExit()));
            case STATUS -> broken(message.getStatus());
            case MESSAGE_NOT_SET ->
                Optional.of("message: it holds neither a status nor an event, or is none of this protocol");
        };
    }

    private static Optional<String> broken(OomKillEvent event) {
        return broken("event", event.getEventId(), event.getRevision())
                .or(() -> broken("event.time", event.getTime()))
                .or(() -> broken("event.observed_time", event.getObservedTime()))
                .or(() -> broken("event.kernel_time", event.getKernelTime()))
                .or(() -> broken(
                        "event.workload_history.first_time",
                        event.getWorkloadHistory().getFirstTime()))
                .or(() -> brokenRecent(event.getWorkloadHistory().getRecentList()))
                .or(() -> broken("event", event.getNode()));
    }

    private static Optional<String> broken(ExitEvent exit) {
        StopRequest stop = exit.getStopRequest();
        return broken("exit", exit.getEventId(), exit.getRevision())
                .or(() -> broken("exit.time", exit.getTime()))
                .or(() -> broken("exit.observed_time", exit.getObservedTime()))
                .or(() -> broken("exit.started_at", exit.getStartedAt()))
                .or(() -> broken("exit.ended_at", exit.getEndedAt()))
                .or(() -> broken("exit.stop_request.time", stop.getTime()))
                .or(() -> broken("exit.stop_request.waited", stop.getWaited()))
                .or(() -> broken("exit.stop_request.grace", stop.getGrace()))
                .or(() -> broken("exit.settings.stop_grace", exit.getSettings().getStopGrace()))
                .or(() -> brokenExitCode(exit.getExitCode()))
                .or(() -> broken("exit", exit.getNode()));
    }

    private static Optional<String> brokenExitCode(int code) {
        return Integer.compareUnsigned(code, MAX_EXIT_CODE) > 0
                ? Optional.of("exit.exit_code: it is " + Integer.toUnsignedString(code) + "; an exit code is 0 to "
                        + MAX_EXIT_CODE)
                : Optional.empty();
    }

    private static Optional<String> broken(String event, String eventId, int revision) {
        if (eventId.isEmpty()) {
            return Optional.of(event + ".event_id: it is empty; every event needs an id");
        }
        if (utf8Bytes(eventId) > MAX_EVENT_ID_BYTES) {
            return Optional.of(event + ".event_id: it is longer than " + MAX_EVENT_ID_BYTES + " bytes");
        }
        if (revision == 0) {
            return Optional.of(event + ".revision: it is 0; the first revision is 1");
        }
        return Optional.empty();
    }

    private static Optional<String> brokenRecent(List<WorkloadOom> recent) {
        return recent.stream()
                .flatMap(oom -> broken("event.workload_history.recent.time", oom.getTime()).stream())
                .findFirst();
    }

    // Only a large message can contain such a text, and few messages are large.
    private static Optional<String> longText(Published published, String name, Message message) {
        return published.bytes().length > MAX_TEXT_BYTES ? longText(name, message) : Optional.empty();
    }

    /** Returns the first text that is too long. */
    private static Optional<String> longText(String name, Message message) {
        if (message.getSerializedSize() <= MAX_TEXT_BYTES) {
            return Optional.empty();
        }
        for (Map.Entry<FieldDescriptor, Object> field : message.getAllFields().entrySet()) {
            List<?> values = field.getValue() instanceof List<?> list ? list : List.of(field.getValue());
            for (Object value : values) {
                String path = name + "." + field.getKey().getName();
                Optional<String> broken = switch (value) {
                    case Message inner -> longText(path, inner);
                    case String text
                    when utf8Bytes(text) > MAX_TEXT_BYTES ->
                        Optional.of(path + ": it is longer than " + MAX_TEXT_BYTES + " bytes");
                    default -> Optional.empty();
                };
                if (broken.isPresent()) {
                    return broken;
                }
            }
        }
        return Optional.empty();
    }

    private static Optional<String> broken(AgentStatus status) {
        if (status.getSerializedSize() > MAX_STATUS_BYTES) {
            return Optional.of("status: it is larger than " + MAX_STATUS_BYTES + " bytes");
        }
        return broken("status.started_at", status.getStartedAt())
                .or(() -> broken("status.reported_at", status.getReportedAt()))
                .or(() -> broken("status", status.getNode()));
    }

    // An invalid timestamp has no JSON form, so it would break every consumer that prints the event as JSON.
    private static Optional<String> broken(String field, Timestamp time) {
        return Timestamps.isValid(time) ? Optional.empty() : Optional.of(field + ": it is not a valid timestamp");
    }

    private static Optional<String> broken(String field, Duration duration) {
        return Durations.isValid(duration) ? Optional.empty() : Optional.of(field + ": it is not a valid duration");
    }

    private static Optional<String> broken(String message, Node node) {
        if (node.getName().isEmpty()) {
            return Optional.of(message + ".node.name: it is empty; give the agent a name with --node-name");
        }
        if (utf8Bytes(node.getName()) > MAX_NODE_NAME_BYTES) {
            return Optional.of(message + ".node.name: it is longer than " + MAX_NODE_NAME_BYTES + " bytes");
        }
        return Optional.empty();
    }

    private static int utf8Bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8).length;
    }
}
