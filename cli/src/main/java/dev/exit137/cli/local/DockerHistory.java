package dev.exit137.cli.local;

import com.google.gson.Gson;
import com.google.gson.JsonParseException;
import com.google.protobuf.Duration;
import dev.exit137.cli.local.DockerJson.Config;
import dev.exit137.cli.local.DockerJson.HostConfig;
import dev.exit137.cli.local.DockerJson.Inspected;
import dev.exit137.cli.local.DockerJson.Listed;
import dev.exit137.cli.local.DockerJson.RestartPolicy;
import dev.exit137.cli.local.DockerJson.State;
import dev.exit137.cli.local.DockerLives.Life;
import dev.exit137.exitreport.facts.End;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitSettings;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** What Docker Engine still knows of its containers: their state, settings, and the last 256 events of the engine. */
final class DockerHistory {
    private static final Gson GSON = new Gson();
    private static final String COMPOSE_LABELS = "com.docker.compose.";
    private static final int COMM_LENGTH = 15;
    /** The record of a container and its event have times of their own. */
    private static final java.time.Duration SAME_END = java.time.Duration.ofSeconds(5);

    /** Of {@code docker run --stop-timeout}. */
    private static final int DEFAULT_STOP_TIMEOUT_SECONDS = 10;

    static final String EVENTS_GONE =
            "Docker's events of this end: the engine keeps its last 256 events only, since its "
                    + "own start, and this end is not among them";

    /** A container of this machine; it may be removed already. */
    record Known(String id, String name) {}

    /** Whether the settings of now are those of the last end ({@code docker update}). */
    enum Settings {
        SAME,
        CHANGED,
        PERHAPS_CHANGED
    }

    /**
     * What is known of one container.
     *
     * @param ends oldest first
     * @param inspected null if it was removed
     */
    record History(List<LocalEnd> ends, @Nullable Inspected inspected, Settings settings) {
        /** When it was started after its last end; empty if it was not. */
        Optional<Instant> restarted() {
            State state = inspected == null ? null : inspected.state();
            if (state == null || !state.running() || ends.isEmpty()) {
                return Optional.empty();
            }
            return time(state.startedAt())
                    .filter(start -> start.isAfter(ends.getLast().ended()));
        }
    }

    private final DockerApi docker;
    private final Host host;

    DockerHistory(DockerApi docker, Host host) {
        this.docker = docker;
        this.host = host;
    }

    /** The containers that exist, and those that the engine's events still name. */
    List<Known> containers() throws IOException {
        Map<String, Known> known = new LinkedHashMap<>();
        for (Listed listed : parse(docker.get("/containers/json?all=1").orElse("[]"), Listed[].class)) {
            String id = listed.id();
            List<String> names = listed.names();
            if (id != null) {
                String name =
                        names == null || names.isEmpty() ? "" : names.getFirst().replaceFirst("^/", "");
                known.put(id, new Known(id, name));
            }
        }
        for (DockerEvent event : events()) {
            known.putIfAbsent(event.id(), new Known(event.id(), event.name()));
        }
        return List.copyOf(known.values());
    }

    /** The engine's directory; empty if it does not say. */
    Optional<Path> root() {
        try {
            String answer = docker.get("/info").orElse("{}");
            String directory = parse(answer, DockerJson.Info.class).rootDirectory();
            return Optional.ofNullable(directory)
                    .filter(path -> path.startsWith("/"))
                    .map(Path::of);
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** Its lives that ended, settings and state. */
    History of(Known container) throws IOException {
        Optional<String> answer = docker.get("/containers/" + container.id() + "/json");
        Inspected inspected = answer.isPresent() ? parse(answer.get(), Inspected.class) : null;
        List<DockerEvent> events = events().stream()
                .filter(event -> event.id().equals(container.id()))
                .toList();
        List<LocalEnd> ends = new ArrayList<>();
        for (Life life : DockerLives.of(events)) {
            ends.add(end(container, inspected, events, life));
        }
        State state = inspected == null ? null : inspected.state();
        if (inspected != null && state != null) {
            lastEnd(state)
                    .filter(end ->
                            ends.isEmpty() || end.isAfter(ends.getLast().ended().plus(SAME_END)))
                    .ifPresent(end -> ends.add(withoutEvents(container, inspected, state, end)));
            if (ends.isEmpty() && !state.running() && state.exitCode() != 0 && !events.isEmpty()) {
                ends.add(
                        notStarted(container, inspected, state, events.getLast().time()));
            }
        }
        return new History(ends, inspected, settingsOf(ends, events));
    }

    /** Whether the settings that Docker has now are those of the last end. */
    private static Settings settingsOf(List<LocalEnd> ends, List<DockerEvent> events) {
        if (ends.isEmpty()) {
            return Settings.SAME;
        }
        LocalEnd last = ends.getLast();
        if (last.end().reported().getEvidenceMissingList().contains(EVENTS_GONE)) {
            return Settings.PERHAPS_CHANGED;
        }
        return events.stream()
                        .anyMatch(event ->
                                event.action().equals("update") && event.time().isAfter(last.ended()))
                ? Settings.CHANGED
                : Settings.SAME;
    }

    private List<DockerEvent> events() throws IOException {
        String filter = URLEncoder.encode("{\"type\":[\"container\"]}", StandardCharsets.UTF_8);
        Instant now = host.clock().instant();
        // To the nanosecond: an end of this second counts, too.
        String until = String.format(Locale.ROOT, "%d.%09d", now.getEpochSecond(), now.getNano());
        String path = "/events?since=1&until=" + until + "&filters=" + filter;
        return DockerEvent.read(docker.get(path).orElse("")).stream()
                .sorted(Comparator.comparing(DockerEvent::time))
                .toList();
    }

    private LocalEnd end(Known container, @Nullable Inspected inspected, List<DockerEvent> events, Life life) {
        ExitEvent.Builder event = event(container, inspected, life.ended());
        if (event.getContainer().getImage().isEmpty()) {
            event.getContainerBuilder().setImage(events.getFirst().image());
        }
        if (life.exitCode() != null) {
            event.setExitCode(life.exitCode());
        }
        Instant started = life.started();
        State state = inspected == null ? null : inspected.state();
        if (started == null && state != null) {
            started = time(state.startedAt())
                    .filter(start -> start.isBefore(life.ended()))
                    .orElse(null);
        }
        if (started != null) {
            event.setStartedAt(EventFactory.timestamp(started));
        }
        return new LocalEnd(new End(event.build(), life.actions(), null), program(inspected));
    }

    /** A container that was created, and whose program could not be started. */
    private LocalEnd notStarted(Known container, Inspected inspected, State state, Instant tried) {
        ExitEvent.Builder event = event(container, inspected, tried).setExitCode(state.exitCode());
        return new LocalEnd(new End(event.build(), List.of(), null), "");
    }

    /** An end that only the record of the container tells of. */
    private LocalEnd withoutEvents(Known container, Inspected inspected, State state, Instant ended) {
        ExitEvent.Builder event = event(container, inspected, ended).addEvidenceMissing(EVENTS_GONE);
        if (!state.running()) {
            event.setExitCode(state.exitCode());
            time(state.startedAt()).ifPresent(start -> event.setStartedAt(EventFactory.timestamp(start)));
        }
        return new LocalEnd(new End(event.build(), List.of(), null), program(inspected));
    }

    /** Before its first end, Docker has the year 1. */
    private static Optional<Instant> lastEnd(State state) {
        return time(state.finishedAt()).filter(end -> end.isAfter(Instant.EPOCH));
    }

    private ExitEvent.Builder event(Known container, @Nullable Inspected inspected, Instant ended) {
        ExitEvent.Builder event = host.event("container", container.id(), ended)
                .setSubject(ExitEvent.Subject.CONTAINER)
                .setContainer(Container.newBuilder()
                        .setRuntime("docker")
                        .setId(container.id())
                        .setName(container.name()))
                .addEvidence(ExitEvent.Evidence.DOCKER);
        Config config = inspected == null ? null : inspected.config();
        if (config != null) {
            if (config.image() != null) {
                event.getContainerBuilder().setImage(config.image());
            }
            event.putAllComposeLabels(composeLabels(config.labels()));
        }
        HostConfig hostConfig = inspected == null ? null : inspected.hostConfig();
        if (inspected != null && hostConfig != null) {
            event.setSettings(settings(inspected, hostConfig));
        }
        return event;
    }

    private static ExitSettings settings(Inspected inspected, HostConfig config) {
        ExitSettings.Builder settings = ExitSettings.newBuilder()
                .setMemoryLimitBytes(config.memory() > 0 ? config.memory() : -1)
                .setOomKillDisabled(Boolean.TRUE.equals(config.oomKillDisable()))
                .setOomScoreAdj(config.oomScoreAdj())
                .setRestartPolicy(restart(config.restartPolicy()))
                .setInitProgram(baseName(inspected.path()));
        if (config.memorySwap() != 0) {
            settings.setMemorySwapLimitBytes(config.memorySwap());
        }
        Config created = inspected.config();
        Integer stopTimeout = created == null ? null : created.stopTimeout();
        settings.setStopGrace(
                Duration.newBuilder().setSeconds(stopTimeout == null ? DEFAULT_STOP_TIMEOUT_SECONDS : stopTimeout));
        return settings.build();
    }

    private static String restart(@Nullable RestartPolicy policy) {
        if (policy == null || policy.name() == null || policy.name().isEmpty()) {
            return "no";
        }
        return policy.name() + (policy.maximumRetryCount() > 0 ? ":" + policy.maximumRetryCount() : "");
    }

    private static String baseName(@Nullable String path) {
        return path == null ? "" : path.substring(path.lastIndexOf('/') + 1);
    }

    private static String program(@Nullable Inspected inspected) {
        String name = inspected == null ? "" : baseName(inspected.path());
        return name.substring(0, Math.min(COMM_LENGTH, name.length()));
    }

    private static Map<String, String> composeLabels(@Nullable Map<String, String> labels) {
        Map<String, String> compose = new TreeMap<>();
        if (labels != null) {
            labels.forEach((name, value) -> {
                if (name.startsWith(COMPOSE_LABELS) && value != null) {
                    compose.put(name, value);
                }
            });
        }
        return compose;
    }

    private static Optional<Instant> time(@Nullable String rfc3339) {
        try {
            return rfc3339 == null ? Optional.empty() : Optional.of(Instant.parse(rfc3339));
        } catch (DateTimeException e) {
            return Optional.empty();
        }
    }

    private static <T> T parse(String json, Class<T> type) throws IOException {
        try {
            T parsed = GSON.fromJson(json, type);
            if (parsed != null) {
                return parsed;
            }
        } catch (JsonParseException e) {
            // The exception below reports it.
        }
        throw new IOException("Docker's answer is not of its Engine API");
    }
}
