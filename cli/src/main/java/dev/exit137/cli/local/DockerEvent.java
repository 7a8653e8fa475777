package dev.exit137.cli.local;

import com.google.gson.Gson;
import com.google.gson.JsonParseException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * An event of a container: a line of {@code GET /events}, such as {@code
 * {"Type":"container","Action":"kill","Actor":{"ID":"1a44…","Attributes":{"name":"a1","signal":"15"}},"timeNano":17960…}}.
 *
 * @param signal null for other actions than kill
 * @param exitCode null for other actions than die
 */
record DockerEvent(
        String id,
        String name,
        String image,
        String action,
        @Nullable Integer signal,
        @Nullable Integer exitCode,
        Instant time) {
    private static final Gson GSON = new Gson();

    /** The events in the lines, in their order; a line that is none is skipped. */
    static List<DockerEvent> read(String lines) {
        List<DockerEvent> events = new ArrayList<>();
        lines.lines().filter(line -> !line.isBlank()).forEach(line -> {
            try {
                DockerJson.Event event = GSON.fromJson(line, DockerJson.Event.class);
                DockerJson.Actor actor = event == null ? null : event.actor();
                String id = actor == null ? null : actor.id();
                String action = event == null ? null : event.action();
                if (event != null && actor != null && id != null && action != null) {
                    events.add(of(event, actor, id, action));
                }
            } catch (JsonParseException e) {
                // Not a line of the API: nothing is known of it.
            }
        });
        return events;
    }

    private static DockerEvent of(DockerJson.Event event, DockerJson.Actor actor, String id, String action) {
        Map<String, String> attributes = actor.attributes() == null ? Map.of() : actor.attributes();
        return new DockerEvent(
                id,
                attributes.getOrDefault("name", ""),
                attributes.getOrDefault("image", ""),
                action,
                number(attributes.get("signal")),
                number(attributes.get("exitCode")),
                Instant.ofEpochSecond(0, event.timeNano()));
    }

    private static @Nullable Integer number(@Nullable String text) {
        return text != null && text.matches("\\d{1,3}") ? Integer.valueOf(text) : null;
    }
}
