package dev.exit137.agent.exit;

import com.google.protobuf.Timestamp;
import dev.exit137.daemon.collect.BoundedMap;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.exitreport.cause.ExitRules;
import dev.exit137.exitreport.facts.End;
import dev.exit137.exitreport.facts.SeccompKill;
import dev.exit137.exitreport.facts.SentSignal;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Joins an end with the signals and the OOM kills that may explain it. An end without a cause waits a moment for them;
 * later evidence makes a new revision. The first delivered SIGKILL of the main process wins. Agent-worker thread.
 */
public final class ExitJoiner {
    private static final String PLACE = "exits";
    private static final int MAX_RECENT = 256;
    private static final int SIGKILL = 9;
    // include/uapi/asm-generic/siginfo.h: the kernel kills the processes of a namespace on the stack of its first one.
    private static final int SI_KERNEL = 128;
    /** Records and reports of a kill come within this time; after each step the end is looked at again. */
    private static final List<Duration> WAITS =
            List.of(Duration.ofMillis(30), Duration.ofMillis(120), Duration.ofMillis(400));
    /** The runtime's stamp of an end and the kernel's of its cause differ by less. */
    private static final Duration SKEW = Duration.ofSeconds(1);
    /** A stop with a long grace period began this long ago at most. */
    private static final Duration LONGEST_STOP = Duration.ofHours(1);

    /** From a kill to the end that the runtime reports: a container of many processes may take some time to end. */
    private static final Duration KILL_TO_END = Duration.ofSeconds(5);

    /** What is known of containers, without asking a runtime. */
    public interface Containers {
        /** Returns the container with this id. */
        Optional<Container> find(String id);

        /** Returns the pid of the container's first process in the life that ended then. */
        Optional<Integer> mainPid(String id, Instant endedAt);

        /** Returns the pid of the first parent of the container's main process that was seen: its shim. */
        Optional<Integer> shimPid(String id);
    }

    private static final class Known {
        private End end;
        private @Nullable ExitEvent out;
        private int waits;

        Known(End end) {
            this.end = end;
        }
    }

    private final Node node;
    private final SignalBook signals;
    private final Containers containers;
    private final Consumer<ExitEvent> out;
    private final ScheduledExecutorService worker;
    private final InstantSource clock;
    private final Instant startedAt;
    private final Guard guard;
    private final Map<String, Known> recent = BoundedMap.byInsertion(MAX_RECENT);
    private final Map<String, End> successes = BoundedMap.byInsertion(MAX_RECENT);
    private final Map<String, OomKillEvent> ooms = BoundedMap.byInsertion(MAX_RECENT);
    private final Map<Integer, SeccompKill> seccompKills = BoundedMap.byInsertion(MAX_RECENT);

    /**
     * @param out takes each revision
     * @param worker the agent-worker thread
     * @param clock the node's wall clock; an end before now is recovered
     * @param guard of this process
     */
    public ExitJoiner(
            Node node,
            SignalBook signals,
            Containers containers,
            Consumer<ExitEvent> out,
            ScheduledExecutorService worker,
            InstantSource clock,
            Guard guard) {
        this.node = node;
        this.signals = signals;
        this.containers = containers;
        this.out = out;
        this.worker = worker;
        this.clock = clock;
        this.guard = guard;
        startedAt = clock.instant();
    }

    /** Takes an end, or one that was taken before with more of the runtime's record. */
    public void onEnd(End end) {
        guard.run(PLACE, () -> {
            String id = eventId(end);
            End whole = withMainProcess(end);
            Known known = recent.computeIfAbsent(id, _ -> new Known(whole));
            known.end = whole;
            look(id, known);
        });
    }

    /** Takes the end of a container that is a success, and no event. */
    public void onSuccess(End end) {
        guard.run(PLACE, () -> successes.put(eventId(end), withMainProcess(end)));
    }

    /** Returns whether a SIGKILL ended a subject whose end is known, or followed from such an end. */
    boolean isPartOfAnEnd(SentSignal kill) {
        return Stream.concat(recent.values().stream().map(known -> known.end), successes.values().stream())
                .anyMatch(end -> {
                    Instant endedAt = instant(end.reported().getTime());
                    return isAbout(kill, end.reported(), endedAt)
                            && ExitRules.isPart(
                                    end, signals.find(signal -> isAbout(signal, end.reported(), endedAt)), kill);
                });
    }

    /** Returns whether a SIGKILL ended the main process of a container, or followed from its end, which no runtime told. */
    boolean isPartOfAContainersEnd(SentSignal kill, String container) {
        Optional<Integer> main = containers.mainPid(container, kill.time());
        if (main.isEmpty()) {
            return false;
        }
        int pid = main.get();
        return kill.victimPid() == pid
                || (kill.sender().getPid() == pid && kill.code() == SI_KERNEL)
                || !signals.find(signal -> signal.victimPid() == pid
                                && signal.number() == kill.number()
                                && signal.delivered()
                                && !signal.time().isAfter(kill.time()))
                        .isEmpty();
    }

    /** A runtime may not say which process was the main one, or be asked too late. */
    private End withMainProcess(End end) {
        ExitEvent reported = end.reported();
        if (reported.getProcess().hasPid() || reported.getContainer().getId().isEmpty()) {
            return end;
        }
        return containers
                .mainPid(reported.getContainer().getId(), instant(reported.getTime()))
                .map(pid -> new End(
                        reported.toBuilder()
                                .setProcess(reported.getProcess().toBuilder().setPid(pid))
                                .build(),
                        end.actions(),
                        end.unit(),
                        end.logMissing()))
                .orElse(end);
    }

    /** Takes each revision of an OOM kill: it may explain an end that is known already. */
    public void onOom(OomKillEvent event) {
        guard.run(PLACE, () -> {
            ooms.put(event.getEventId(), withoutTables(event));
            for (Map.Entry<String, Known> entry : List.copyOf(recent.entrySet())) {
                if (isOf(event, entry.getValue().end.reported())) {
                    look(entry.getKey(), entry.getValue());
                }
            }
        });
    }

    /** Takes a kill for a system call: it may explain an end that is known already. */
    public void onSeccomp(SeccompKill kill) {
        guard.run(PLACE, () -> {
            seccompKills.put(kill.pid(), kill);
            for (Map.Entry<String, Known> entry : List.copyOf(recent.entrySet())) {
                if (kill.equals(seccompKill(entry.getValue().end.reported()))) {
                    look(entry.getKey(), entry.getValue());
                }
            }
        });
    }

    /** The number of the main process may have been that of another one long before. */
    private @Nullable SeccompKill seccompKill(ExitEvent reported) {
        SeccompKill kill = seccompKills.get(reported.getProcess().getPid());
        Instant endedAt = instant(reported.getTime());
        boolean isOfThisEnd = kill != null
                && reported.getProcess().hasPid()
                && kill.time().isAfter(endedAt.minus(KILL_TO_END))
                && kill.time().isBefore(endedAt.plus(SKEW));
        return isOfThisEnd ? kill : null;
    }

    private static OomKillEvent withoutTables(OomKillEvent event) {
        OomKillEvent.Builder small = event.toBuilder().clearAfterKill().clearWorkloadHistory();
        small.getIncidentBuilder()
                .clearTasks()
                .clearMemory()
                .clearNodeMemory()
                .clearMemcgStats()
                .clearSlabCaches();
        return small.build();
    }

    private void look(String id, Known known) {
        ExitEvent event = explain(id, known);
        ExitEvent before = known.out;
        if (before == null && event.getCause() == Cause.UNKNOWN && known.waits < WAITS.size()) {
            Duration wait = WAITS.get(known.waits++);
            worker.schedule(
                    () -> guard.run(PLACE, () -> {
                        if (known.out == null) {
                            look(id, known);
                        }
                    }),
                    wait.toMillis(),
                    TimeUnit.MILLISECONDS);
            return;
        }
        if (before == null) {
            known.out = event.toBuilder().setRevision(1).build();
        } else {
            ExitEvent same = event.toBuilder()
                    .setRevision(before.getRevision())
                    .setObservedTime(before.getObservedTime())
                    .build();
            if (same.equals(before)) {
                return;
            }
            known.out = event.toBuilder().setRevision(before.getRevision() + 1).build();
        }
        out.accept(known.out);
    }

    private ExitEvent explain(String id, Known known) {
        ExitEvent reported = known.end.reported();
        Instant endedAt = instant(reported.getTime());
        List<SentSignal> about = signals.find(signal -> isAbout(signal, reported, endedAt));
        List<OomKillEvent> inIt =
                ooms.values().stream().filter(oom -> isOf(oom, reported)).toList();
        ExitEvent.Builder event =
                ExitRules.explain(known.end, about, inIt, seccompKill(reported), signals.stateFor(endedAt)).toBuilder();
        event.setEventId(id)
                .setNode(node)
                .setObservedTime(EventFactory.timestamp(clock.instant()))
                .setRecovered(endedAt.isBefore(startedAt));
        if (reported.getSubject() == ExitEvent.Subject.PROCESS && reported.hasContainer()) {
            containers.find(reported.getContainer().getId()).ifPresent(event::setContainer);
        }
        String sendersContainer = event.getSender().getContainer().getId();
        if (!sendersContainer.isEmpty()) {
            containers.find(sendersContainer).ifPresent(event.getSenderBuilder()::setContainer);
        }
        return event.build();
    }

    private boolean isAbout(SentSignal signal, ExitEvent reported, Instant endedAt) {
        if (signal.time().isAfter(endedAt.plus(SKEW)) || signal.time().isBefore(endedAt.minus(LONGEST_STOP))) {
            return false;
        }
        if (reported.hasStartedAt()
                && signal.time().isBefore(instant(reported.getStartedAt()).minus(SKEW))) {
            return false;
        }
        if (reported.getSubject() == ExitEvent.Subject.PROCESS && isEarlierKill(signal, endedAt)) {
            return false;
        }
        // As sender: the kernel kills the processes of a namespace on the stack of its first process, which ends.
        if (reported.getProcess().hasPid()
                && (signal.victimPid() == reported.getProcess().getPid()
                        || signal.sender().getPid() == reported.getProcess().getPid())) {
            return true;
        }
        if (reported.getSubject() == ExitEvent.Subject.PROCESS) {
            return false;
        }
        String container = reported.getContainer().getId();
        if (!container.isEmpty()) {
            boolean ofShim = signal.isToShim()
                    && signal.time().isAfter(endedAt.minus(KILL_TO_END))
                    && containers.shimPid(container).equals(Optional.of(signal.victimPid()));
            return ofShim || isIn(signal.victimCgroup(), container);
        }
        String unit = reported.getUnit();
        return !unit.isEmpty() && (signal.victimCgroup() + "/").contains("/" + unit + "/");
    }

    /** Its number was that of another process before. */
    private static boolean isEarlierKill(SentSignal signal, Instant endedAt) {
        return signal.number() == SIGKILL && signal.delivered() && signal.time().isBefore(endedAt);
    }

    /**
     * Whether a cgroup is a container's or below it: {@code /kubepods/…/ID}, {@code cri-containerd-ID.scope}, {@code
     * docker-ID.scope}, {@code system.slice:cri-containerd:ID}. A client of containerd chooses the id, and it may be short.
     */
    private static boolean isIn(String cgroup, String container) {
        for (int at = cgroup.indexOf(container); at >= 0; at = cgroup.indexOf(container, at + 1)) {
            String rest = cgroup.substring(at + container.length());
            boolean begins = at > 0 && "/-:".indexOf(cgroup.charAt(at - 1)) >= 0;
            if (begins && (rest.isEmpty() || rest.startsWith("/") || rest.startsWith(".scope"))) {
                return true;
            }
        }
        return false;
    }

    private static boolean isOf(OomKillEvent oom, ExitEvent reported) {
        String container = reported.getContainer().getId();
        boolean same = reported.getSubject() == ExitEvent.Subject.PROCESS
                ? oom.getVictim().getPid() == reported.getProcess().getPid()
                : container.isEmpty()
                        ? !reported.getUnit().isEmpty() && oom.getUnit().equals(reported.getUnit())
                        : oom.getContainer().getId().equals(container);
        if (!same || !oom.hasTime()) {
            return same && !oom.hasTime();
        }
        Instant time = instant(oom.getTime());
        if (reported.getSubject() == ExitEvent.Subject.PROCESS
                && time.isBefore(instant(reported.getTime()).minus(SKEW))) {
            return false;
        }
        return !time.isAfter(instant(reported.getTime()).plus(SKEW))
                && !(reported.hasStartedAt()
                        && time.isBefore(instant(reported.getStartedAt()).minus(SKEW)));
    }

    /** The same for an end that is told of again, by another source or to the next agent. */
    private String eventId(End end) {
        ExitEvent reported = end.reported();
        String subject = switch (reported.getSubject()) {
            case CONTAINER -> reported.getContainer().getId();
            case UNIT -> reported.getUnit();
            case PROCESS, SUBJECT_UNSPECIFIED, UNRECOGNIZED ->
                Integer.toString(reported.getProcess().getPid());
        };
        String life = end.unit() == null ? "" : end.unit().invocationId();
        return node.getBootId() + "/exit/" + reported.getSubject().name().toLowerCase(Locale.ROOT) + "/" + subject + "/"
                + (life.isEmpty() ? instant(reported.getTime()).toEpochMilli() : life);
    }

    private static Instant instant(Timestamp time) {
        return Instant.ofEpochSecond(time.getSeconds(), time.getNanos());
    }
}
