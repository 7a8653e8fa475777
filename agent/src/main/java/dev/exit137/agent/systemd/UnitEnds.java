package dev.exit137.agent.systemd;

import com.google.protobuf.Timestamp;
import dev.exit137.agent.exit.EndListener;
import dev.exit137.daemon.collect.BoundedMap;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.exitreport.facts.End;
import dev.exit137.exitreport.facts.JournalLine;
import dev.exit137.exitreport.facts.UnitState;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.ProcessRef;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Puts together what systemd says about the end of a service: changes of properties, jobs, and lines of the journal come
 * in any order within about a second. An end is handed on at the first word of it, and again with each that adds to it.
 * Which job of another unit led to a stop, systemd does not say: it is inferred from the dependency and from the number of
 * the job, because the jobs of one transaction are numbered in a row. Agent-identity thread.
 */
final class UnitEnds {
    private static final String PLACE = "systemd";
    private static final int MAX_UNITS = 4096;
    private static final int MAX_JOBS = 1024;
    /** Jobs of one transaction; a stop of a target may have more. */
    private static final long ADJACENT = 64;

    private static final int MAX_CHAIN = 8;
    /** The words of one end are within this time of each other. */
    private static final Duration SAME_END = Duration.ofSeconds(2);

    private static final int CLD_EXITED = 1;
    private static final int CLD_DUMPED = 3;
    private static final int AFTER_SIGNAL = 128;

    /** A job, when it was made; its type is empty until it is known. */
    private record Job(long id, String unit, String type, Instant time) {
        boolean stops() {
            return type.equals("stop") || type.contains("restart");
        }
    }

    /** The end of one life of a unit. */
    private static final class Ending {
        private final Instant endedAt;
        private final Set<Evidence> evidence = EnumSet.noneOf(Evidence.class);
        private boolean bySignal;
        private boolean dumped;
        private int status;
        private @Nullable Integer pid;
        private @Nullable Instant startedAt;
        private @Nullable End delivered;

        Ending(Instant endedAt) {
            this.endedAt = endedAt;
        }
    }

    private static final class Unit {
        private String subState = "";
        private String result = "success";
        private String phase = "";
        private boolean byClient;
        private long exitMicros;
        private boolean asked;
        private @Nullable Job job;
        private UnitDetails details = UnitDetails.UNKNOWN;
        private @Nullable Ending last;

        /** The unit starts: what was said of its last life does not count any more. */
        void startsAgain() {
            result = "success";
            phase = "";
            byClient = false;
            last = null;
            if (job != null && job.stops()) {
                job = null;
            }
        }
    }

    private final EndListener listener;
    private final Function<String, CompletableFuture<UnitDetails>> ask;
    private final Instant since;
    private final InstantSource clock;
    private final Guard guard;
    private final Map<String, Unit> units = BoundedMap.byAccess(MAX_UNITS);
    private final List<String> followers = new ArrayList<>();
    private final Map<Long, Job> jobs = BoundedMap.byInsertion(MAX_JOBS);

    /**
     * @param ask for a unit's details, answered on the same thread
     * @param since earlier ends are not reported
     */
    UnitEnds(
            EndListener listener,
            Function<String, CompletableFuture<UnitDetails>> ask,
            Instant since,
            InstantSource clock,
            Guard guard) {
        this.listener = listener;
        this.ask = ask;
        this.since = since;
        this.clock = clock;
        this.guard = guard;
    }

    private Unit unit(String name) {
        return units.computeIfAbsent(name, unseen -> new Unit());
    }

    // ---- D-Bus

    /** systemd made a job; call it again once its type is known. */
    void onJob(long id, String unit, String type) {
        onJob(id, unit, type, clock.instant());
    }

    private void onJob(long id, String unit, String type, Instant time) {
        Job known = jobs.get(id);
        Job job = new Job(id, unit, type, known == null ? time : known.time());
        jobs.put(id, job);
        Unit its = unit(unit);
        if (its.job == null || its.job.id() <= id) {
            its.job = job;
        }
        // A unit that follows this one may have ended before its job was told of.
        units.forEach((name, other) -> {
            Ending last = other.last;
            if (last != null && Duration.between(last.endedAt, time).abs().compareTo(SAME_END) <= 0) {
                followers.add(name);
            }
        });
        followers.forEach(name -> deliver(name, unit(name)));
        followers.clear();
    }

    /** Properties of a unit changed; systemd sends all that may change, in two messages: of the service, then of the unit. */
    void onProperties(String name, Map<String, ?> changed) {
        Unit unit = unit(name);
        if (changed.get("Result") instanceof String result) {
            unit.result = result;
        }
        if (changed.get("SubState") instanceof String subState && !subState.equals(unit.subState)) {
            enters(unit, subState);
        }
        long exitMicros = number(changed, "ExecMainExitTimestamp");
        if (exitMicros > 0 && exitMicros != unit.exitMicros) {
            unit.exitMicros = exitMicros;
            exited(unit, changed, Instant.EPOCH.plus(exitMicros, ChronoUnit.MICROS));
        }
        deliver(name, unit);
    }

    private void enters(Unit unit, String subState) {
        String from = unit.subState;
        unit.subState = subState;
        boolean wasStarting = from.startsWith("start");
        if (!wasStarting && (subState.startsWith("start") || subState.equals("running"))) {
            unit.startsAgain();
            return;
        }
        if (isStopping(subState) && unit.job != null && unit.job.type().isEmpty()) {
            // The job was done before it could be asked for its type.
            unit.job = new Job(unit.job.id(), unit.job.unit(), "stop", unit.job.time());
            jobs.put(unit.job.id(), unit.job);
        }
        if (unit.result.equals("timeout") && unit.phase.isEmpty()) {
            if (from.startsWith("start") && isStopping(subState)) {
                unit.phase = "start";
            } else if (from.equals("stop-sigterm") && subState.equals("stop-sigkill")) {
                unit.phase = "stop";
            }
        }
    }

    private static boolean isStopping(String subState) {
        return subState.startsWith("stop") || subState.startsWith("final");
    }

    private static void exited(Unit unit, Map<String, ?> changed, Instant time) {
        long code = number(changed, "ExecMainCode");
        Ending ending = ending(unit, time);
        ending.evidence.add(Evidence.SYSTEMD);
        ending.bySignal = code != CLD_EXITED;
        ending.dumped = code == CLD_DUMPED;
        ending.status = (int) number(changed, "ExecMainStatus");
        long pid = number(changed, "ExecMainPID");
        ending.pid = pid > 0 ? (int) pid : null;
        long started = number(changed, "ExecMainStartTimestamp");
        ending.startedAt = started > 0 ? Instant.EPOCH.plus(started, ChronoUnit.MICROS) : null;
    }

    /** Returns the end at about this time: that which another source told of, or a new one. */
    private static Ending ending(Unit unit, Instant time) {
        Ending last = unit.last;
        if (last != null && Duration.between(last.endedAt, time).abs().compareTo(SAME_END) <= 0) {
            return last;
        }
        Ending ending = new Ending(time);
        unit.last = ending;
        return ending;
    }

    private static long number(Map<String, ?> properties, String name) {
        return properties.get(name) instanceof Number number ? number.longValue() : 0;
    }

    // ---- journal

    /** systemd wrote a line; it is systemd's own. */
    void onLine(JournalLine line) {
        Unit unit = unit(line.unit());
        switch (line.kind()) {
            case EXITED -> {
                Ending ending = ending(unit, line.time());
                ending.evidence.add(Evidence.JOURNAL);
                ending.bySignal = !line.word().equals("exited");
                ending.dumped = line.word().equals("dumped");
                ending.status = line.number() == null ? 0 : line.number();
            }
            case RESULT -> {
                // The line of the exit came before; a late line of the life before does not count.
                if (unit.last != null) {
                    unit.result = line.word();
                }
            }
            case START_TIMED_OUT -> unit.phase = "start";
            case STOP_TIMED_OUT -> unit.phase = unit.phase.isEmpty() ? "stop" : unit.phase;
            case CLIENT_SIGNAL -> unit.byClient = true;
            case STOPPING -> {
                if (line.number() != null) {
                    onJob(line.number(), line.unit(), line.word(), line.time());
                }
            }
            case OOM, STOPPED, RUNTIME_LIMIT, WATCHDOG, KILLING -> {
                // The result says the same.
            }
        }
        deliver(line.unit(), unit);
    }

    // ---- the end

    private void deliver(String name, Unit unit) {
        Ending ending = unit.last;
        if (ending == null
                || ending.evidence.isEmpty()
                || (!ending.bySignal && ending.status == 0)
                || ending.endedAt.isBefore(since)) {
            return;
        }
        End now = new End(event(name, unit, ending), List.of(), state(unit, ending));
        if (now.equals(ending.delivered)) {
            return;
        }
        boolean isFirst = ending.delivered == null;
        ending.delivered = now;
        listener.onEnd(now);
        if (isFirst) {
            askAndDeliver(name, name, unit);
        }
        for (String above : Objects.requireNonNull(now.unit()).dependencies()) {
            // A unit ends before those that it follows: theirs may not be known yet.
            if (!unit(above).asked) {
                askAndDeliver(above, name, unit);
            }
        }
    }

    /** Asks about a unit, and hands on the end of one if that adds to it. */
    private void askAndDeliver(String about, String name, Unit unit) {
        unit(about).asked = true;
        ask.apply(about)
                .thenAccept(details -> guard.run(PLACE, () -> {
                    unit(about).details = details;
                    deliver(name, unit);
                }));
    }

    private static ExitEvent event(String name, Unit unit, Ending ending) {
        Timestamp end = EventFactory.timestamp(ending.endedAt);
        ExitEvent.Builder event = ExitEvent.newBuilder()
                .setSubject(ExitEvent.Subject.UNIT)
                .setUnit(name)
                .setTime(end)
                .setEndedAt(end)
                .setExitCode(ending.bySignal ? AFTER_SIGNAL + ending.status : ending.status)
                .setCoreDumped(ending.dumped)
                .addAllEvidence(ending.evidence)
                .setSettings(unit.details.settings());
        if (ending.bySignal) {
            event.setSignal(ending.status);
        }
        if (ending.pid != null) {
            event.setProcess(ProcessRef.newBuilder().setPid(ending.pid));
        }
        if (ending.startedAt != null) {
            event.setStartedAt(EventFactory.timestamp(ending.startedAt));
        }
        return event.build();
    }

    private UnitState state(Unit unit, Ending ending) {
        Job job = unit.job != null && unit.job.stops() && !unit.job.time().isAfter(ending.endedAt.plus(SAME_END))
                ? unit.job
                : null;
        String jobType = job == null ? "" : job.type().contains("restart") ? "restart" : "stop";
        List<String> causes = new ArrayList<>();
        String kind = job == null ? "" : dependency(unit.details, job, causes);
        // From the unit upwards; the first cause comes first.
        return new UnitState(unit.result, unit.phase, unit.byClient, jobType, causes.reversed(), kind);
    }

    /** Finds the units whose jobs, or ends, led to this job, and returns the kind of the first dependency. */
    private String dependency(UnitDetails details, Job job, List<String> causes) {
        if (causes.size() == MAX_CHAIN) {
            return "";
        }
        for (Map.Entry<String, List<String>> dependency : List.of(
                Map.entry("PartOf", details.partOf()),
                Map.entry("BindsTo", details.bindsTo()),
                Map.entry("Requires", details.requires()))) {
            for (String other : dependency.getValue()) {
                Job its = jobBeside(other, job);
                if (its != null && !causes.contains(other)) {
                    causes.add(other);
                    dependency(unit(other).details, its, causes);
                    return dependency.getKey();
                }
                if (dependency.getKey().equals("BindsTo") && endedBefore(other, job) && !causes.contains(other)) {
                    causes.add(other);
                    return dependency.getKey();
                }
            }
        }
        return "";
    }

    private @Nullable Job jobBeside(String unit, Job job) {
        return jobs.values().stream()
                .filter(other -> other.unit().equals(unit)
                        && other.stops()
                        && Math.abs(other.id() - job.id()) <= ADJACENT
                        && Duration.between(other.time(), job.time()).abs().compareTo(SAME_END) <= 0)
                .findFirst()
                .orElse(null);
    }

    private boolean endedBefore(String unit, Job job) {
        Unit other = units.get(unit);
        return other != null
                && other.last != null
                && Duration.between(other.last.endedAt, job.time()).abs().compareTo(SAME_END) <= 0;
    }
}
