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
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Puts together what systemd says about the end of a service: changes of properties, jobs, and lines of the journal come
 * in any order within about a second. Each life of a unit has an invocation id (systemd.exec(5)), and each life has one
 * end. An end is handed on at the first word of it, and again with each that adds to it. Which job of another unit led to
 * a stop, systemd does not say: it is inferred from the dependency and from the number of the job, because the jobs of one
 * transaction are numbered in a row. Agent-identity thread.
 */
final class UnitEnds {
    private static final String PLACE = "systemd";
    private static final int MAX_UNITS = 4096;
    /** Of one unit; a late line of the journal is about one of the last. */
    private static final int MAX_LIVES = 4;

    private static final int MAX_JOBS = 1024;
    /** Jobs of one transaction; a stop of a target may have more. */
    private static final long ADJACENT = 64;

    private static final int MAX_CHAIN = 8;
    /** Causes and effects among units are within this time of each other. */
    private static final Duration AT_ONCE = Duration.ofSeconds(2);

    private static final int CLD_EXITED = 1;
    private static final int CLD_DUMPED = 3;
    private static final int AFTER_SIGNAL = 128;
    private static final String SUCCESS = "success";
    private static final String TIMEOUT = "timeout";
    private static final String STOP = "stop";

    /** A job, when it was made; its type is empty until it is known. */
    private record Job(long id, String unit, String type, Instant time) {
        boolean stops() {
            return type.equals(STOP) || type.contains("restart");
        }
    }

    /** One life of a unit, and its end as far as it is known. */
    private static final class Life {
        private final String invocationId;
        private final Set<Evidence> evidence = EnumSet.noneOf(Evidence.class);
        private String subState = "";
        private String result = SUCCESS;
        private String phase = "";
        private int clientSignal;
        private @Nullable Job job;
        private UnitState.@Nullable StartFailure startFailure;
        private @Nullable Instant endedAt;
        private boolean bySignal;
        private boolean dumped;
        private int status;
        private @Nullable Integer pid;
        private @Nullable Instant startedAt;
        private @Nullable End delivered;

        Life(String invocationId) {
            this.invocationId = invocationId;
        }

        /** Takes a result, unless it is that of a unit that was reset, or that systemd will not start again. */
        void results(String said) {
            if (!said.equals(SUCCESS) && !said.equals("start-limit-hit")) {
                result = said;
            }
        }

        boolean endedNear(Instant time) {
            return endedAt != null && Duration.between(endedAt, time).abs().compareTo(AT_ONCE) <= 0;
        }

        /** The end that both sources tell of has the time of the first: they differ by a millisecond. */
        void ended(Evidence source, Instant time) {
            evidence.add(source);
            if (endedAt == null) {
                endedAt = time;
            }
        }
    }

    private static final class Unit {
        private final Map<String, Life> lives = BoundedMap.byInsertion(MAX_LIVES);
        private long exitMicros;
        private boolean asked;
        private UnitDetails details = UnitDetails.UNKNOWN;
        private @Nullable Life newest;

        /** Returns the life with this id; the newest one if systemd says none. */
        Life life(String invocationId) {
            Life known = invocationId.isEmpty() ? newest : lives.get(invocationId);
            if (known == null) {
                known = new Life(invocationId);
                lives.put(invocationId, known);
                newest = known;
            }
            return known;
        }
    }

    private final EndListener listener;
    private final Function<String, CompletableFuture<UnitDetails>> ask;
    private final Instant since;
    private final InstantSource clock;
    private final Guard guard;
    private final Map<String, Unit> units = BoundedMap.byAccess(MAX_UNITS);
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
        Life life = unit(unit).newest;
        Job job = job(id, unit, type, clock.instant());
        // systemd tells of an end before it tells of the job that starts the unit again.
        if (life != null && !life.evidence.contains(Evidence.SYSTEMD) && (life.job == null || life.job.id() <= id)) {
            life.job = job;
        }
        deliverEndsNear(job.time());
    }

    private Job job(long id, String unit, String type, Instant time) {
        Job known = jobs.get(id);
        Job job = new Job(id, unit, type, time);
        if (known != null) {
            // Until the unit is down, the journal calls a restart a stop.
            boolean isRestart = known.type().contains("restart") && type.equals(STOP);
            job = new Job(id, unit, isRestart ? known.type() : type, known.time());
        }
        jobs.put(id, job);
        return job;
    }

    /** A unit that follows another may have ended before the other's job was told of. */
    private void deliverEndsNear(Instant time) {
        List<Runnable> found = new ArrayList<>();
        units.forEach((name, unit) -> unit.lives.values().stream()
                .filter(life -> life.endedNear(time))
                .forEach(life -> found.add(() -> deliver(name, unit, life))));
        found.forEach(Runnable::run);
    }

    /**
     * Properties of a unit changed. systemd sends all that may change, those of the service and those of the unit, which
     * have the id of the life.
     */
    void onProperties(String name, Map<String, ?> changed) {
        Unit unit = unit(name);
        Life life = unit.life(invocationId(changed.get("InvocationID")));
        if (changed.get("Result") instanceof String result) {
            life.results(result);
        }
        if (changed.get("SubState") instanceof String subState && !subState.equals(life.subState)) {
            enters(life, subState);
        }
        long exitMicros = number(changed, "ExecMainExitTimestamp");
        // Until the main process starts, a new life has the exit of the one before.
        if (exitMicros > 0 && exitMicros != unit.exitMicros) {
            unit.exitMicros = exitMicros;
            exited(life, changed, Instant.EPOCH.plus(exitMicros, ChronoUnit.MICROS));
        }
        deliver(name, unit, life);
    }

    /** Returns the id as the journal writes it; empty if there is none. */
    static String invocationId(@Nullable Object bytes) {
        byte[] id = bytes instanceof byte[] array ? array : new byte[0];
        if (bytes instanceof List<?> list) {
            id = new byte[list.size()];
            for (int i = 0; i < id.length; i++) {
                id[i] = list.get(i) instanceof Byte each ? each : 0;
            }
        }
        return HexFormat.of().formatHex(id);
    }

    private void enters(Life life, String subState) {
        String from = life.subState;
        life.subState = subState;
        if (subState.equals("running") && life.job != null && !life.job.stops()) {
            // The job that started it.
            life.job = null;
        }
        if (!isStopping(subState)) {
            return;
        }
        Job job = life.job;
        if (job != null && job.type().isEmpty() && life.result.equals(SUCCESS)) {
            // The job was done before it could be asked for its type.
            life.job = job(job.id(), job.unit(), STOP, job.time());
        }
        if (life.result.equals(TIMEOUT) && life.phase.isEmpty()) {
            if (from.startsWith("start")) {
                life.phase = "start";
            } else if (from.equals("running")) {
                life.phase = "runtime";
            } else if (from.equals("stop-sigterm") && subState.equals("stop-sigkill")) {
                life.phase = STOP;
            }
        }
    }

    private static boolean isStopping(String subState) {
        return subState.startsWith("stop") || subState.startsWith("final");
    }

    private static void exited(Life life, Map<String, ?> changed, Instant time) {
        long code = number(changed, "ExecMainCode");
        life.ended(Evidence.SYSTEMD, time);
        life.bySignal = code != CLD_EXITED;
        life.dumped = code == CLD_DUMPED;
        life.status = (int) number(changed, "ExecMainStatus");
        long pid = number(changed, "ExecMainPID");
        life.pid = pid > 0 ? (int) pid : null;
        long started = number(changed, "ExecMainStartTimestamp");
        life.startedAt = started > 0 ? Instant.EPOCH.plus(started, ChronoUnit.MICROS) : null;
    }

    private static long number(Map<String, ?> properties, String name) {
        return properties.get(name) instanceof Number number ? number.longValue() : 0;
    }

    // ---- journal

    /** systemd wrote a line; it is systemd's own. */
    void onLine(JournalLine line) {
        Unit unit = unit(line.unit());
        Life life = unit.life(line.invocationId());
        life.evidence.add(Evidence.JOURNAL);
        switch (line.kind()) {
            case EXITED -> {
                life.ended(Evidence.JOURNAL, line.time());
                life.bySignal = !line.word().equals("exited");
                life.dumped = line.word().equals("dumped");
                life.status = line.number() == null ? 0 : line.number();
            }
            case RESULT -> life.results(line.word());
            case START_TIMED_OUT -> life.phase = "start";
            case RUNTIME_LIMIT -> life.phase = "runtime";
            case STOP_TIMED_OUT -> life.phase = life.phase.isEmpty() ? STOP : life.phase;
            case CLIENT_SIGNAL -> life.clientSignal = line.number() == null ? 0 : line.number();
            case START_FAILED ->
                life.startFailure = new UnitState.StartFailure(line.word(), line.number() == null ? 0 : line.number());
            case STOPPING -> {
                if (line.number() != null) {
                    life.job = job(line.number(), line.unit(), line.word(), line.time());
                    deliverEndsNear(line.time());
                }
            }
            case STOPPED -> {
                if (life.job != null && line.number() != null && life.job.id() == line.number()) {
                    life.job = job(life.job.id(), line.unit(), line.word(), line.time());
                }
            }
            case OOM, WATCHDOG, KILLING -> {
                // The result says the same.
            }
        }
        deliver(line.unit(), unit, life);
    }

    // ---- the end

    private void deliver(String name, Unit unit, Life life) {
        Instant endedAt = life.endedAt;
        if (endedAt == null || (!life.bySignal && life.status == 0) || endedAt.isBefore(since)) {
            return;
        }
        End now = new End(event(name, unit, life, endedAt), List.of(), state(unit, life, endedAt));
        if (now.equals(life.delivered)) {
            return;
        }
        boolean isFirst = life.delivered == null;
        life.delivered = now;
        listener.onEnd(now);
        if (isFirst) {
            askAndDeliver(name, name, unit, life);
        }
        for (String above : Objects.requireNonNull(now.unit()).dependencies()) {
            // A unit ends before those that it follows: theirs may not be known yet.
            if (!unit(above).asked) {
                askAndDeliver(above, name, unit, life);
            }
        }
    }

    /** Asks about a unit, and hands on the end of one if that adds to it. */
    private void askAndDeliver(String about, String name, Unit unit, Life life) {
        unit(about).asked = true;
        ask.apply(about)
                .thenAccept(details -> guard.run(PLACE, () -> {
                    unit(about).details = details;
                    deliver(name, unit, life);
                }));
    }

    private static ExitEvent event(String name, Unit unit, Life life, Instant endedAt) {
        Timestamp end = EventFactory.timestamp(endedAt);
        ExitEvent.Builder event = ExitEvent.newBuilder()
                .setSubject(ExitEvent.Subject.UNIT)
                .setUnit(name)
                .setTime(end)
                .setEndedAt(end)
                .setExitCode(life.bySignal ? AFTER_SIGNAL + life.status : life.status)
                .setCoreDumped(life.dumped)
                .addAllEvidence(life.evidence)
                .setSettings(unit.details.settings());
        if (life.bySignal) {
            event.setSignal(life.status);
        }
        if (life.pid != null) {
            event.setProcess(ProcessRef.newBuilder().setPid(life.pid));
        }
        if (life.startedAt != null) {
            event.setStartedAt(EventFactory.timestamp(life.startedAt));
        }
        return event.build();
    }

    private UnitState state(Unit unit, Life life, Instant endedAt) {
        Job job = life.job == null ? null : jobs.getOrDefault(life.job.id(), life.job);
        if (job != null && (!job.stops() || job.time().isAfter(endedAt.plus(AT_ONCE)))) {
            job = null;
        }
        String jobType = job == null ? "" : job.type().contains("restart") ? "restart" : STOP;
        List<String> causes = new ArrayList<>();
        String kind = job == null ? "" : dependency(unit.details, job, causes);
        int signal = life.bySignal ? life.status : life.status - AFTER_SIGNAL;
        // From the unit upwards; the first cause comes first.
        return new UnitState(
                life.invocationId,
                life.result,
                life.phase,
                life.clientSignal > 0 && life.clientSignal == signal,
                jobType,
                causes.reversed(),
                kind,
                life.startFailure);
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
                        && Duration.between(other.time(), job.time()).abs().compareTo(AT_ONCE) <= 0)
                .findFirst()
                .orElse(null);
    }

    private boolean endedBefore(String unit, Job job) {
        Unit other = units.get(unit);
        return other != null && other.lives.values().stream().anyMatch(life -> life.endedNear(job.time()));
    }
}
