package dev.exit137.cli.local;

import com.google.protobuf.Duration;
import com.google.protobuf.util.Durations;
import dev.exit137.cli.local.UnitJournal.Ended;
import dev.exit137.cli.local.UnitJournal.Line;
import dev.exit137.exitreport.facts.End;
import dev.exit137.exitreport.facts.UnitState;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitSettings;
import dev.exit137.proto.v1.ProcessRef;
import dev.exit137.proto.v1.StopRequest;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** What systemd still knows of its units: {@code systemctl show}, and its lines in the journal. */
final class UnitHistory {
    private static final String PROPERTIES =
            "LoadState,ActiveState,SubState,Result,ExecMainPID,NRestarts,Restart,OOMPolicy,"
                    + "MemoryMax,MemorySwapMax,TimeoutStopUSec,OOMScoreAdjust,PartOf,BindsTo,Requires";
    private static final List<String> DEPENDENCIES = List.of("PartOf", "BindsTo", "Requires");
    private static final java.time.Duration SOON = java.time.Duration.ofSeconds(10);
    /** Jobs that one request makes have ids next to each other. */
    private static final int NEAR_JOBS = 4;

    private static final int MAX_CHAIN = 8;

    private static final int MAX_LINES = 5000;
    // 1min 30s, 500ms, infinity
    private static final Pattern SPAN = Pattern.compile("(\\d+)(y|month|w|d|h|min|s|ms|us)");
    private static final Map<String, Long> SPAN_MICROS = Map.of(
            "y", 31_557_600_000_000L,
            "month", 2_629_800_000_000L,
            "w", 604_800_000_000L,
            "d", 86_400_000_000L,
            "h", 3_600_000_000L,
            "min", 60_000_000L,
            "s", 1_000_000L,
            "ms", 1_000L,
            "us", 1L);

    /**
     * What is known of one unit.
     *
     * @param known whether systemd has such a unit, or the journal has lines of it
     * @param ends oldest first
     * @param properties of {@code systemctl show}
     * @param unread what could not be read, each with its reason
     * @param oom systemd saw an OOM kill in the newest life that ended
     * @param runtimeLimit RuntimeMaxSec ended the newest life that ended
     */
    record History(
            boolean known,
            List<LocalEnd> ends,
            Map<String, String> properties,
            List<String> unread,
            boolean oom,
            boolean runtimeLimit) {}

    private final Programs programs;
    private final Host host;

    UnitHistory(Programs programs, Host host) {
        this.programs = programs;
        this.host = host;
    }

    /** Names of all units that systemd has loaded. */
    List<String> units() {
        try {
            return programs.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager")
                    .out()
                    .lines()
                    .map(line -> line.strip().split("\\s+", 2)[0])
                    .filter(name -> !name.isEmpty())
                    .toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    /** The unit of a process that is gone, by its lines in the journal; empty if it wrote none. */
    Optional<String> unitOf(String pid) {
        try {
            return programs.run("journalctl", "-o", "json", "--no-pager", "-n", "1", "_PID=" + pid)
                    .out()
                    .lines()
                    .map(line -> {
                        Matcher unit = Pattern.compile("\"_SYSTEMD_UNIT\":\"([^\"]+)\"")
                                .matcher(line);
                        return unit.find() ? unit.group(1) : "";
                    })
                    .filter(unit -> !unit.isEmpty())
                    .findFirst();
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** Its ends, settings and state. */
    History of(String unit) {
        List<String> unread = new ArrayList<>();
        Map<String, String> properties = properties(unit, unread);
        Map<String, String> dependencies = dependencies(properties);
        List<Line> lines = lines(unit, dependencies, unread);
        List<LocalEnd> ends = new ArrayList<>();
        List<Ended> found = UnitJournal.ends(unit, lines);
        for (Ended ended : found) {
            boolean newest = ended == found.getLast();
            ends.add(end(
                    unit,
                    ended,
                    newest ? properties : Map.of(),
                    causes(ended, lines, dependencies, unread),
                    dependencies));
        }
        boolean known = !ends.isEmpty()
                || "loaded".equals(properties.get("LoadState"))
                || lines.stream().anyMatch(line -> line.unit().equals(unit));
        return new History(
                known,
                ends,
                properties,
                unread,
                !found.isEmpty() && found.getLast().oom,
                !found.isEmpty() && found.getLast().runtimeLimit);
    }

    private Map<String, String> properties(String unit, List<String> unread) {
        Map<String, String> properties = new LinkedHashMap<>();
        try {
            Programs.Output output = programs.run("systemctl", "show", "--no-pager", "-p", PROPERTIES, "--", unit);
            if (!output.succeeded()) {
                unread.add("systemd's properties of the unit: " + output.error());
            }
            output.out().lines().forEach(line -> {
                int equals = line.indexOf('=');
                if (equals > 0) {
                    properties.put(line.substring(0, equals), line.substring(equals + 1));
                }
            });
        } catch (IOException e) {
            unread.add("systemd's properties of the unit: " + e.getMessage());
        }
        return properties;
    }

    private List<Line> lines(String unit, Map<String, String> dependencies, List<String> unread) {
        List<String> command = new ArrayList<>(
                List.of("journalctl", "-o", "json", "--no-pager", "-n", String.valueOf(MAX_LINES), "_PID=1"));
        List<String> units = new ArrayList<>(List.of("UNIT=" + unit));
        dependencies.keySet().forEach(other -> units.add("UNIT=" + other));
        command.addAll(units);
        // Not by -u: journald may not have seen the unit of a process that ended at once.
        command.addAll(List.of("+", "MESSAGE_ID=" + UnitJournal.SPAWN_FAILED, "UNIT=" + unit));
        try {
            Programs.Output output = programs.run(command.toArray(String[]::new));
            if (!output.succeeded() || !output.error().isEmpty()) {
                unread.add("all of the journal: " + output.error());
            }
            return UnitJournal.lines(output.out());
        } catch (IOException e) {
            unread.add("the journal: " + e.getMessage());
            return List.of();
        }
    }

    /** Units whose end can lead to this one's, each with the kind of the dependency. */
    private static Map<String, String> dependencies(Map<String, String> properties) {
        Map<String, String> dependencies = new LinkedHashMap<>();
        for (String kind : DEPENDENCIES) {
            for (String unit : properties.getOrDefault(kind, "").split(" ", 0)) {
                // Slices and targets end with the machine.
                if (unit.endsWith(".service") || unit.endsWith(".socket") || unit.endsWith(".mount")) {
                    dependencies.putIfAbsent(unit, kind);
                }
            }
        }
        return dependencies;
    }

    /** The units whose ends or stops led to the stop of this one, the nearest first. */
    private List<String> causes(Ended ended, List<Line> lines, Map<String, String> dependencies, List<String> unread) {
        List<String> causes = new ArrayList<>();
        if (ended.stopping == null) {
            return causes;
        }
        Optional<Line> next = cause(ended.stopping, ended.stopJob, lines, dependencies);
        while (next.isPresent()
                && causes.size() < MAX_CHAIN
                && !causes.contains(next.get().unit())) {
            Line line = next.get();
            causes.add(line.unit());
            Map<String, String> above = line.job() < 0 ? Map.of() : dependencies(properties(line.unit(), unread));
            next = above.isEmpty()
                    ? Optional.empty()
                    : cause(line.time(), line.job(), lines(line.unit(), above, unread), above);
        }
        return causes;
    }

    /** What a unit said whose own end or stop came just before that stop; empty if none did. */
    private static Optional<Line> cause(
            Instant stopping, long stopJob, List<Line> lines, Map<String, String> dependencies) {
        return lines.stream()
                .filter(line -> dependencies.containsKey(line.unit()))
                .filter(line ->
                        java.time.Duration.between(stopping, line.time()).abs().compareTo(SOON) <= 0)
                .filter(line -> isStopBeside(line, stopJob)
                        || (!line.field("UNIT_RESULT").isEmpty() && !line.time().isAfter(stopping)))
                .findFirst();
    }

    /** Whether the line is of a stop whose job came with this one. */
    private static boolean isStopBeside(Line line, long stopJob) {
        return line.job() >= 0
                && stopJob >= 0
                && Math.abs(line.job() - stopJob) <= NEAR_JOBS
                && line.jobType().matches("stop|restart");
    }

    private LocalEnd end(
            String unit,
            Ended ended,
            Map<String, String> properties,
            List<String> causes,
            Map<String, String> dependencies) {
        ExitEvent.Builder event = host.event("unit", unit, ended.ended)
                .setSubject(ExitEvent.Subject.UNIT)
                .setUnit(unit)
                .addEvidence(ExitEvent.Evidence.JOURNAL);
        if (ended.started != null) {
            event.setStartedAt(EventFactory.timestamp(ended.started));
        }
        if (ended.code >= 0) {
            event.setExitCode(ended.code);
        }
        if (ended.signal > 0) {
            event.setSignal(ended.signal).setCoreDumped(ended.coreDumped);
        }
        if (!properties.isEmpty()) {
            event.setSettings(settings(properties));
        }
        if (ended.pid > 0) {
            event.setProcess(ProcessRef.newBuilder().setPid(ended.pid).setComm(ended.comm));
        } else if (properties.getOrDefault("ExecMainPID", "0").matches("[1-9]\\d{0,8}")
                && !properties.getOrDefault("ActiveState", "").startsWith("activ")) {
            event.getProcessBuilder().setPid(Integer.parseInt(properties.getOrDefault("ExecMainPID", "0")));
        }
        if (ended.stopping != null && !ended.phase.equals("start")) {
            event.setStopRequest(stopRequest(ended, event.getSettings()));
        }
        UnitState state = new UnitState(
                "",
                ended.result,
                ended.phase,
                ended.byClient(),
                ended.jobType,
                causes.reversed(),
                causes.isEmpty() ? "" : dependencies.getOrDefault(causes.getFirst(), ""),
                ended.startFailure);
        return new LocalEnd(new End(event.build(), List.of(), state), "");
    }

    private static StopRequest stopRequest(Ended ended, ExitSettings settings) {
        StopRequest.Builder request = StopRequest.newBuilder();
        if (ended.stopping != null) {
            request.setTime(EventFactory.timestamp(ended.stopping));
        }
        java.time.Duration waited = ended.waited();
        if (waited != null) {
            request.setWaited(Durations.fromNanos(waited.toNanos()));
        }
        if (settings.hasStopGrace()) {
            request.setGrace(settings.getStopGrace());
        }
        return request.build();
    }

    private static ExitSettings settings(Map<String, String> properties) {
        ExitSettings.Builder settings = ExitSettings.newBuilder()
                .setRestartPolicy(properties.getOrDefault("Restart", ""))
                .setOomPolicy(properties.getOrDefault("OOMPolicy", ""));
        bytes(properties.get("MemoryMax")).ifPresent(settings::setMemoryLimitBytes);
        bytes(properties.get("MemorySwapMax")).ifPresent(settings::setMemorySwapLimitBytes);
        span(properties.getOrDefault("TimeoutStopUSec", "")).ifPresent(settings::setStopGrace);
        String adj = properties.getOrDefault("OOMScoreAdjust", "");
        if (adj.matches("-?\\d{1,4}")) {
            settings.setOomScoreAdj(Integer.parseInt(adj));
        }
        return settings.build();
    }

    private static Optional<Long> bytes(@Nullable String text) {
        if ("infinity".equals(text)) {
            return Optional.of(-1L);
        }
        return text != null && text.matches("\\d{1,18}") ? Optional.of(Long.valueOf(text)) : Optional.empty();
    }

    /** A time span as systemctl prints it; empty for infinity. */
    static Optional<Duration> span(String text) {
        Matcher part = SPAN.matcher(text);
        long micros = 0;
        boolean any = false;
        while (part.find()) {
            micros += Long.parseLong(part.group(1)) * SPAN_MICROS.getOrDefault(part.group(2), 0L);
            any = true;
        }
        return any ? Optional.of(Durations.fromMicros(micros)) : Optional.empty();
    }
}
