package dev.exit137.agent.container;

import dev.exit137.agent.exit.ContainerEnd;
import dev.exit137.agent.exit.ContainerEnding;
import dev.exit137.agent.exit.ContainerEnds;
import dev.exit137.agent.exit.ContainerSubject;
import dev.exit137.agent.exit.EndListener;
import dev.exit137.daemon.collect.BoundedMap;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.guard.GuardedThread;
import dev.exit137.exitreport.facts.ContainerdLine;
import dev.exit137.exitreport.facts.RuntimeAction;
import dev.exit137.exitreport.facts.RuntimeAction.Kind;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Learns how containers end: from the runtimes' events, and from their lists for what the events missed. It adds what the
 * runtime keeps of the end, and whose the container is. Agent-identity thread.
 */
final class EndWatch {
    private static final String PLACE = "container-runtime";
    /** The longest wait for Docker's record of an end that its event told of; it usually takes some milliseconds. */
    private static final Duration HOLD = Duration.ofSeconds(1);

    private static final Duration FIRST_LOOK_AT_CREATED = Duration.ofMillis(100);
    private static final Duration LAST_LOOK_AT_CREATED = Duration.ofSeconds(8);
    /** The events of a new stream come first: they have what the record does not. */
    private static final Duration BEFORE_CHECKS = Duration.ofSeconds(1);
    /** The record of an end is not of that end if it is further from its event. */
    private static final Duration NEAR = Duration.ofSeconds(2);

    private static final int MAX_CHECKS = 8192;
    private static final String CONTAINERD = "containerd";
    /** containerd kills the containers of a pod one after the other. */
    private static final Duration LONGEST_STOP_OF_A_POD = Duration.ofMinutes(2);

    private static final int MAX_PODS = 1024;

    /** A container that has ended, by a list. */
    private record Check(RuntimeLink link, String id) {}

    private final ContainerEnds ends;
    private final Function<String, Optional<Identity>> find;
    private final Function<String, CompletableFuture<Identity>> lookUp;
    private final GuardedThread thread;
    private final Guard guard;
    private final ContainerdLog log;
    private final BiConsumer<String, Integer> mainProcess;
    private final Instant since;
    private final Deque<Check> checks = new ArrayDeque<>();
    private final Set<Check> waiting = new HashSet<>();
    /** Links with a new stream: an end that was known may not be the last one. */
    private final Set<RuntimeLink> renewed = new HashSet<>();

    /** They have ended, and their runtime keeps no record of it. */
    private final Map<Check, Boolean> fruitless = BoundedMap.byInsertion(MAX_CHECKS);

    /** When a client of the CRI last stopped a pod, by the pod's uid. */
    private final Map<String, Instant> stoppedPods = BoundedMap.byInsertion(MAX_PODS);

    private boolean checking;

    /**
     * @param find the identity of a container as it is known
     * @param lookUp the same, once the runtime has been asked
     * @param log has what the clients of the CRI asked for
     * @param mainProcess receives the pid of each main process that starts, with its container's id
     * @param since ends before this time are not reported when a list shows them
     */
    EndWatch(
            EndListener listener,
            Function<String, Optional<Identity>> find,
            Function<String, CompletableFuture<Identity>> lookUp,
            ContainerdLog log,
            BiConsumer<String, Integer> mainProcess,
            Instant since,
            GuardedThread thread,
            Guard guard) {
        ends = new ContainerEnds(listener);
        this.find = find;
        this.lookUp = lookUp;
        this.log = log;
        this.mainProcess = mainProcess;
        this.since = since;
        this.thread = thread;
        this.guard = guard;
    }

    // ---- events

    /** Returns the receiver of a new stream of this runtime. */
    RuntimeWatcher watcher(RuntimeLink link) {
        renewed.add(link);
        boolean docker = link.kind().equals("docker");
        return new Watcher() {
            @Override
            public void onAppeared(String id) {
                if (docker) {
                    lookAtCreated(link, id, FIRST_LOOK_AT_CREATED);
                }
            }

            @Override
            public void onReleased(String id) {
                if (docker) {
                    lookAtCreated(link, id, Duration.ZERO);
                }
            }

            @Override
            public void onEnded(ContainerEnd end) {
                if (docker) {
                    dockerEnd(link, end);
                } else {
                    namedEnd(end);
                }
            }
        };
    }

    /** Returns the receiver of containerd's events about containers that the CRI knows. */
    RuntimeWatcher kubernetes() {
        return new Watcher() {
            @Override
            public void onEnded(ContainerEnd end) {
                namedEnd(end);
            }
        };
    }

    /** Returns the receiver of containerd's events about containers that only containerd knows. */
    RuntimeWatcher containerdAlone() {
        return new Watcher() {
            @Override
            public void onEnded(ContainerEnd end) {
                ends.deliver(ends.onEnd(end, ContainerSubject.UNKNOWN));
            }
        };
    }

    /** Returns the receiver of containerd's events about Docker's containers: Docker itself says all but the pid. */
    RuntimeWatcher pidsAlone() {
        return new Watcher() {
            @Override
            public void onAction(String id, RuntimeAction action) {
                // Docker's own event comes.
            }

            @Override
            public void onEnded(ContainerEnd end) {
                // Docker's own event comes.
            }
        };
    }

    private abstract class Watcher implements RuntimeWatcher {
        @Override
        public void onAppeared(String id) {
            // The identity is asked for elsewhere.
        }

        @Override
        public void onStarted(String id, Instant time, @Nullable Integer pid) {
            if (pid != null) {
                mainProcess.accept(id, pid);
            }
            ends.onStarted(id, time, pid);
        }

        @Override
        public void onAction(String id, RuntimeAction action) {
            ends.onAction(id, action);
        }

        @Override
        public void onNonsense(String what) {
            // The link counts it.
        }
    }

    // ---- Docker

    private void dockerEnd(RuntimeLink link, ContainerEnd end) {
        Instant endBefore = ends.lastEnd(end.id());
        ContainerEnding ending = ends.onEnd(end, subject(end, endBefore));
        if (end.exitCode() != null && end.exitCode() == 0) {
            // A success needs no details.
            ends.deliver(ending);
            return;
        }
        later(HOLD, () -> deliver(ending, end, endBefore));
        askEnd(link, end.id(), found -> {
            if (found.isPresent()) {
                ending.add(isOf(end, endBefore, found.get()) ? found.get() : withoutTheEnd(found.get(), end));
            }
            // Not there: a container of `docker run --rm` is removed at its end. Its event says enough.
            deliver(ending, end, endBefore);
        });
    }

    /** Returns whether Docker's record is of the end that the event told of, and not of the one before or after. */
    private static boolean isOf(ContainerEnd event, @Nullable Instant endBefore, ContainerEnd record) {
        return !record.endedAt().isAfter(event.endedAt())
                && !record.endedAt().isBefore(event.endedAt().minus(NEAR))
                && (endBefore == null || record.endedAt().isAfter(endBefore));
    }

    /** Returns the settings and names of a record that is of another end. */
    private static ContainerEnd withoutTheEnd(ContainerEnd record, ContainerEnd event) {
        return new ContainerEnd(
                record.source(),
                record.container(),
                event.endedAt(),
                event.reportedAt(),
                null,
                null,
                null,
                false,
                record.settings());
    }

    private void deliver(ContainerEnding ending, ContainerEnd end, @Nullable Instant endBefore) {
        ending.add(subject(end, endBefore));
        ends.deliver(ending);
        if (find.apply(end.id()).isEmpty()) {
            lookUp.apply(end.id())
                    .thenRun(() -> guard.run(PLACE, () -> {
                        ending.add(subject(end, endBefore));
                        ends.deliver(ending);
                    }));
        }
    }

    /**
     * Looks whether a new container fails to start: there is no event of that but the end of its network. With {@code --rm}
     * it is removed then, and nothing is known of it if that was faster than this question.
     */
    private void lookAtCreated(RuntimeLink link, String id, Duration pause) {
        later(pause, () -> {
            if (ends.hasStarted(id) || ends.isKnown(id, Evidence.DOCKER)) {
                return;
            }
            askEnd(link, id, found -> {
                if (found.isPresent()) {
                    listedEnd(found.get(), Instant.MIN);
                } else if (pause.compareTo(LAST_LOOK_AT_CREATED) < 0) {
                    lookAtCreated(link, id, pause.isZero() ? FIRST_LOOK_AT_CREATED : pause.multipliedBy(2));
                }
            });
        });
    }

    // ---- containerd, and the CRI

    /** Reports the end of a container that the CRI knows, but not that of a sandbox, which only holds a pod together. */
    private void namedEnd(ContainerEnd end) {
        Optional<Identity> known = find.apply(end.id());
        if (known.isPresent()) {
            namedEnd(end, known.get());
            return;
        }
        lookUp.apply(end.id())
                .whenComplete((identity, failure) -> guard.run(PLACE, () -> {
                    if (failure == null) {
                        namedEnd(end, identity);
                    } else {
                        // It was removed before anybody asked: its id is all there is.
                        deliverOfCri(ends.onEnd(end, ContainerSubject.UNKNOWN), end, CONTAINERD);
                    }
                }));
    }

    /** What a client of the CRI asked for is in containerd's log, and before the end. */
    private void deliverOfCri(ContainerEnding ending, ContainerEnd end, String runtime) {
        log.readNow();
        ending.ofLog(runtime.equals(CONTAINERD) ? log.missing(end.endedAt()) : "no log of " + runtime + " is read");
        ends.deliver(ending);
    }

    /** A line of containerd's log says what a client of the CRI asked for, or what containerd then did. */
    void onRequest(ContainerdLine line) {
        String id = line.id();
        switch (line.kind()) {
            case STOP -> ends.onAction(id, new RuntimeAction(Kind.STOP, line.time(), null, line.grace()));
            case SIGNAL -> ends.onAction(id, new RuntimeAction(Kind.KILL, line.time(), line.signal(), null));
            case REMOVE -> ends.onAction(id, new RuntimeAction(Kind.REMOVE, line.time(), null, null));
            case KILL -> {
                Instant podStop = stoppedPods.get(pod(id));
                if (podStop != null && !podStop.isBefore(line.time().minus(LONGEST_STOP_OF_A_POD))) {
                    ends.onAction(id, new RuntimeAction(Kind.STOP_POD, podStop, null, null));
                }
                ends.onAction(id, new RuntimeAction(Kind.KILL, line.time(), line.signal(), null));
            }
            case STOP_POD -> {
                String pod = pod(id);
                if (!pod.isEmpty()) {
                    stoppedPods.put(pod, line.time());
                }
            }
            case OTHER -> {
                // It says nothing about an end.
            }
        }
    }

    /** Returns the uid of the pod that a container or a sandbox is of; empty if it is not known. */
    private String pod(String id) {
        return find.apply(id)
                .map(identity -> identity.container().getPod().getUid())
                .orElse("");
    }

    private void namedEnd(ContainerEnd end, Identity identity) {
        if (!identity.container().getName().isEmpty()) {
            deliverOfCri(
                    ends.onEnd(end, subject(identity, end.endedAt(), ends.lastEnd(end.id()))),
                    end,
                    identity.container().getRuntime());
        }
    }

    // ---- lists

    /** Checks the ends that a list shows and no event told of. */
    void onListed(RuntimeLink link, List<Identity> identities) {
        Evidence source = link.kind().equals("docker") ? Evidence.DOCKER : Evidence.CRI;
        boolean all = renewed.remove(link);
        for (Identity identity : identities) {
            Check check = new Check(link, identity.id());
            boolean unknown = all || !(ends.isKnown(identity.id(), source) || fruitless.containsKey(check));
            // A sandbox has no name.
            if (!identity.running()
                    && unknown
                    && !identity.container().getName().isEmpty()
                    && checks.size() < MAX_CHECKS
                    && waiting.add(check)) {
                checks.addLast(check);
            }
        }
        if (!checks.isEmpty() && !checking) {
            checking = true;
            later(all ? BEFORE_CHECKS : Duration.ZERO, this::checkNext);
        }
    }

    /** Asks about one end at a time: a node may keep hundreds, and nobody waits for these. */
    private void checkNext() {
        Check check = checks.pollFirst();
        if (check == null) {
            checking = false;
            return;
        }
        askEnd(check.link(), check.id(), found -> {
            waiting.remove(check);
            found.ifPresentOrElse(end -> listedEnd(end, since), () -> fruitless.put(check, true));
            later(Duration.ZERO, this::checkNext);
        });
    }

    private void listedEnd(ContainerEnd end, Instant since) {
        if (end.exitCode() == null) {
            // It runs again.
            return;
        }
        ContainerEnding ending = ends.onEnd(end, subject(end, ends.lastEnd(end.id())));
        if (end.endedAt().isBefore(since)) {
            return;
        }
        if (end.source() == Evidence.CRI) {
            deliverOfCri(ending, end, end.container().getRuntime());
        } else {
            ends.deliver(ending);
        }
    }

    private void askEnd(RuntimeLink link, String id, Consumer<Optional<ContainerEnd>> then) {
        link.askEnd(id)
                .whenComplete((found, failure) -> guard.run(PLACE, () -> {
                    if (failure != null) {
                        link.endFailed(failure);
                    }
                    then.accept(failure == null ? found : Optional.empty());
                }));
    }

    // ---- the container

    private ContainerSubject subject(ContainerEnd end, @Nullable Instant endBefore) {
        return find.apply(end.id())
                .map(identity -> subject(identity, end.endedAt(), endBefore))
                .orElse(ContainerSubject.UNKNOWN);
    }

    private static ContainerSubject subject(Identity identity, Instant endedAt, @Nullable Instant endBefore) {
        Instant startedAt = identity.startedAt();
        // The main pid may be of the life before, or of the next one. A CRI container lives once.
        boolean isOfThisLife = startedAt == null
                || (startedAt.isBefore(endedAt) && (endBefore == null || startedAt.isAfter(endBefore)));
        return new ContainerSubject(
                identity.container(), identity.composeLabels(), isOfThisLife ? identity.mainPid() : null);
    }

    private void later(Duration pause, Runnable task) {
        try {
            thread.schedule(task, pause.toMillis(), TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            // The agent ends.
        }
    }
}
