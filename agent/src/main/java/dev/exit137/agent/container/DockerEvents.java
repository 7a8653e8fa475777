package dev.exit137.agent.container;

import com.google.gson.Gson;
import com.google.gson.JsonParseException;
import com.google.gson.annotations.SerializedName;
import dev.exit137.agent.exit.ContainerEnd;
import dev.exit137.daemon.collect.BoundedMap;
import dev.exit137.exitreport.facts.RuntimeAction;
import dev.exit137.exitreport.facts.RuntimeAction.Kind;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.ExitSettings;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads the lines of Docker's event stream, and knows where to go on after the stream broke. Docker keeps its last 256
 * events, until it ends itself. Agent-identity thread.
 */
final class DockerEvents {
    /** What is asked for. The processes of an exec are not the container's: their events would come with every health check. */
    static final String FILTERS = "{\"type\":[\"container\",\"network\"],\"event\":[\"create\",\"start\",\"die\","
            + "\"kill\",\"stop\",\"oom\",\"destroy\",\"restart\",\"pause\",\"disconnect\"]}";

    private static final String NETWORK = "network";
    private static final Gson GSON = new Gson();
    private static final int MAX_SEEN = 1024;
    /** Two events at one time may come in any order. */
    private static final Duration OVERLAP = Duration.ofSeconds(1);

    private static final int DIGITS_OF_NUMBERS = 3;

    /**
     * A line: {@code {"Type":"container","Action":"die","Actor":{"ID":"4f0c…","Attributes":{"exitCode":"137","image":"bb:1",
     * "name":"a1"}},"time":1796003917,"timeNano":1796003917747513364}}.
     */
    record Event(
            @SerializedName("Type") @Nullable String type,
            @SerializedName("Action") @Nullable String action,
            @SerializedName("Actor") @Nullable Actor actor,
            @SerializedName("timeNano") long timeNanos) {}

    /** The object of an event. Its attributes have the container's labels, too. */
    record Actor(
            @SerializedName("ID") @Nullable String id,
            @SerializedName("Attributes") @Nullable Map<String, String> attributes) {}

    /** The events that came, by time, action and container: those of the overlap come twice. */
    private final Map<String, Boolean> seen = BoundedMap.byInsertion(MAX_SEEN);

    private final Plausible plausible;
    private long lastNanos;

    /** @param plausible tells the times that can be */
    DockerEvents(Plausible plausible) {
        this.plausible = plausible;
    }

    /** Returns from when on the stream is needed: from the last event on, or else from the given time. */
    Instant resumeAt(Instant first) {
        return lastNanos == 0 ? first : Instant.ofEpochSecond(0, lastNanos).minus(OVERLAP);
    }

    /** Hands on what a line says. */
    void read(String line, RuntimeWatcher watcher) {
        Event event;
        try {
            event = GSON.fromJson(line, Event.class);
        } catch (JsonParseException e) {
            event = null;
        }
        if (event == null
                || event.action() == null
                || event.actor() == null
                || event.actor().id() == null
                || event.actor().id().isEmpty()) {
            if (!line.isBlank()) {
                watcher.onNonsense("an event that is not of the Docker Engine API");
            }
            return;
        }
        if (NETWORK.equals(event.type()) && event.action().equals("disconnect")) {
            // The first sign of a container that failed to start; with --rm it is there for some milliseconds more.
            String container = text(event.actor(), "container");
            if (!container.isEmpty()) {
                watcher.onReleased(container);
            }
            return;
        }
        if (event.type() != null && !event.type().equals("container")) {
            return;
        }
        if (event.timeNanos() <= 0) {
            watcher.onNonsense("an event without a time");
            return;
        }
        if (!plausible.isTime(Instant.ofEpochSecond(0, event.timeNanos()))) {
            // The stream would go on from there after an interruption.
            watcher.onNonsense("an event of " + Instant.ofEpochSecond(0, event.timeNanos()));
            return;
        }
        if (seen.put(event.timeNanos() + event.action() + event.actor().id(), true) == null) {
            lastNanos = Math.max(lastNanos, event.timeNanos());
            read(
                    event.action(),
                    event.actor().id(),
                    event.actor(),
                    Instant.ofEpochSecond(0, event.timeNanos()),
                    watcher);
        }
    }

    private static void read(String action, String id, Actor actor, Instant time, RuntimeWatcher watcher) {
        switch (action) {
            case "create" -> watcher.onAppeared(id);
            case "start" -> {
                watcher.onStarted(id, time, null);
                watcher.onAppeared(id);
            }
            case "kill" -> watcher.onAction(id, new RuntimeAction(Kind.KILL, time, number(actor, "signal"), null));
            case "stop" -> watcher.onAction(id, new RuntimeAction(Kind.STOP, time, null, null));
            case "oom" -> watcher.onAction(id, new RuntimeAction(Kind.OOM, time, null, null));
            case "destroy" -> watcher.onAction(id, new RuntimeAction(Kind.DESTROY, time, null, null));
            case "restart" -> watcher.onAction(id, new RuntimeAction(Kind.RESTART, time, null, null));
            case "pause" -> watcher.onAction(id, new RuntimeAction(Kind.PAUSE, time, null, null));
            case "die" -> {
                Integer code = number(actor, "exitCode");
                if (code == null || !Plausible.isCode(code)) {
                    code = null;
                    // The end is known all the same, and its code is asked for.
                    watcher.onNonsense("an end without an exit code");
                }
                watcher.onAction(id, new RuntimeAction(Kind.DIE, time, null, null, code));
                watcher.onEnded(new ContainerEnd(
                        Evidence.DOCKER,
                        Container.newBuilder()
                                .setRuntime("docker")
                                .setId(id)
                                .setName(text(actor, "name"))
                                .setImage(text(actor, "image"))
                                .build(),
                        time,
                        time,
                        null,
                        code,
                        null,
                        false,
                        ExitSettings.getDefaultInstance()));
            }
            default -> {
                // An exec, a health check, a rename: not asked for, and no sign of an end.
            }
        }
    }

    private static String text(Actor actor, String name) {
        return actor.attributes() == null ? "" : actor.attributes().getOrDefault(name, "");
    }

    /** Returns a number of at most three digits, as all signals and exit codes are; null for anything else. */
    private static @Nullable Integer number(Actor actor, String name) {
        String text = text(actor, name);
        boolean isNumber = !text.isEmpty()
                && text.length() <= DIGITS_OF_NUMBERS
                && text.chars().allMatch(c -> c >= '0' && c <= '9');
        return isNumber ? Integer.valueOf(text) : null;
    }
}
