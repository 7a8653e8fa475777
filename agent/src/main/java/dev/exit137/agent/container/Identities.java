package dev.exit137.agent.container;

import static java.util.stream.Collectors.joining;
import static java.util.stream.Collectors.toSet;

import dev.exit137.agent.exit.ContainerEnd;
import dev.exit137.agent.exit.EndListener;
import dev.exit137.agent.linux.ProcessFiles;
import dev.exit137.daemon.collect.BoundedMap;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.guard.GuardedThread;
import dev.exit137.daemon.procfs.ProcStat;
import dev.exit137.exitreport.facts.ContainerdLine;
import dev.exit137.exitreport.facts.RuntimeAction;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds the identity of a container by its id. It learns it before a kill: it lists all containers at the start and
 * every few seconds, and asks about each new container cgroup and each start that a runtime reports. All waiting is
 * done on the agent-identity thread; the methods are for any thread and never block.
 */
public final class Identities implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Identities.class);
    private static final String PLACE = "identity";
    private static final int MAX_ASKS = 1024;
    private static final int MAX_AT_A_TIME = 16;
    private static final long CLOSE_TIMEOUT_SECONDS = 2;

    /**
     * The delays and time limits.
     *
     * @param tick interval at which sockets are looked for, and a failed runtime is tried again
     * @param deadline of one request
     * @param firstRetry delay after an incomplete answer; doubled each time up to the last
     * @param patience how long a container may be unknown to a runtime that answers
     * @param outage how long a request waits for a runtime that does not answer
     */
    record Pace(Duration tick, Duration deadline, Duration firstRetry, Duration patience, Duration outage) {
        static final Pace USUAL = new Pace(
                Duration.ofSeconds(1),
                Duration.ofSeconds(3),
                Duration.ofMillis(20),
                Duration.ofSeconds(10),
                Duration.ofMinutes(10));

        /** A runtime forgets the main process of a container that has ended, and some are killed as soon as they start. */
        Duration lastRetry() {
            return tick.dividedBy(5);
        }
    }

    /** The parent of a main process. */
    private record Shim(int mainPid, int pid) {}

    /** The requests about one container, until it is known with its main pid, or given up. */
    private final class Ask {
        private final String id;
        private final long sinceNanos = System.nanoTime();
        private final CompletableFuture<Identity> answer = new CompletableFuture<>();
        private Duration pause = pace.firstRetry();
        private boolean isOut;
        private @Nullable Future<?> retry;

        Ask(String id) {
            this.id = id;
        }

        boolean isScheduled() {
            return retry != null;
        }

        boolean waitedFor(Duration time) {
            return System.nanoTime() - sinceNanos > time.toNanos();
        }
    }

    private final GuardedThread thread;
    private final Guard guard;
    private final Pace pace;
    private final ProcessFiles processes;
    private final IdentityCache cache = new IdentityCache(System::nanoTime);
    private final List<RuntimeLink> links = new ArrayList<>();
    private final Map<String, Ask> asks = new LinkedHashMap<>();
    private final AtomicInteger submitted = new AtomicInteger();
    private final List<ContainerdEvents> containerds = new ArrayList<>();
    private final ContainerdLog log;
    private final EndWatch endWatch;
    private final Map<String, Shim> shims =
            Collections.synchronizedMap(BoundedMap.byInsertion(IdentityCache.MAX_CONTAINERS));
    private int out;
    private volatile boolean criAnswers;

    /**
     * Identities alone.
     *
     * @param procRoot the host's procfs
     * @param clock the node's wall clock
     * @param guard of this process
     */
    public Identities(RuntimeSockets sockets, LabelFilter labels, Path procRoot, InstantSource clock, Guard guard) {
        this(sockets, labels, procRoot, EndListener.NONE, Instant.MAX, ContainerdLog.OFF, clock, guard);
    }

    /**
     * Identities, and the ends of containers.
     *
     * @param procRoot the host's procfs
     * @param listener of the ends of containers
     * @param endsSince the first time of interest: ends between it and the start of this agent are reported as far as the
     *     runtimes keep them
     * @param containerdLog path of containerd's log, {@code auto}, {@code journal} or {@code off}
     * @param clock the node's wall clock
     * @param guard of this process
     */
    public Identities(
            RuntimeSockets sockets,
            LabelFilter labels,
            Path procRoot,
            EndListener listener,
            Instant endsSince,
            String containerdLog,
            InstantSource clock,
            Guard guard) {
        this(sockets, labels, procRoot, listener, endsSince, containerdLog, Pace.USUAL, clock, guard);
    }

    Identities(
            RuntimeSockets sockets,
            LabelFilter labels,
            Path procRoot,
            EndListener ends,
            Instant endsSince,
            String containerdLog,
            Pace pace,
            InstantSource clock,
            Guard guard) {
        this.pace = pace;
        this.guard = guard;
        processes = new ProcessFiles(procRoot);
        thread = new GuardedThread(
                Thread.ofPlatform().name("agent-identity").daemon().factory(), PLACE, guard);
        Plausible plausible = new Plausible(clock);
        log = new ContainerdLog(containerdLog, procRoot, endsSince, this::onRequest, plausible, thread, guard);
        endWatch = new EndWatch(ends, this::find, this::lookUp, log, this::keepShim, endsSince, thread, guard);
        RuntimeLink.Listener listener = new RuntimeLink.Listener() {
            @Override
            public void onListed(RuntimeLink link, List<Identity> identities) {
                listed(link, identities);
            }

            @Override
            public RuntimeWatcher watcher(RuntimeLink link) {
                return warming(endWatch.watcher(link));
            }
        };
        for (Path socket : sockets.cri()) {
            links.add(new RuntimeLink(
                    "cri",
                    socket,
                    path -> new CriRuntime(path, labels, plausible, pace.deadline(), thread),
                    listener,
                    guard));
            containerds.add(new ContainerdEvents(socket, this::watcherOf, plausible, thread, guard));
        }
        for (Path socket : sockets.docker()) {
            links.add(new RuntimeLink(
                    "docker",
                    socket,
                    path -> new DockerRuntime(path, endsSince, plausible, pace.deadline(), thread),
                    listener,
                    guard));
        }
    }

    /** Returns the receiver of containerd's events of a namespace. */
    private RuntimeWatcher watcherOf(String namespace) {
        if (ContainerdEvents.isOfKubernetes(namespace)) {
            return endWatch.kubernetes();
        }
        boolean dockerTells = namespace.equals(ContainerdEvents.DOCKER)
                && links.stream().anyMatch(link -> link.kind().equals("docker") && link.isPresent());
        return dockerTells ? endWatch.pidsAlone() : endWatch.containerdAlone();
    }

    private void onRequest(ContainerdLine line) {
        endWatch.onRequest(line);
    }

    private boolean servesCri() {
        return links.stream().anyMatch(link -> link.kind().equals("cri") && link.runtime() != null);
    }

    /** Asks about each container that appears. */
    private RuntimeWatcher warming(RuntimeWatcher watcher) {
        return new RuntimeWatcher() {
            @Override
            public void onAppeared(String id) {
                warm(id);
                watcher.onAppeared(id);
            }

            @Override
            public void onReleased(String id) {
                watcher.onReleased(id);
            }

            @Override
            public void onStarted(String id, Instant time, @Nullable Integer pid) {
                watcher.onStarted(id, time, pid);
            }

            @Override
            public void onAction(String id, RuntimeAction action) {
                watcher.onAction(id, action);
            }

            @Override
            public void onEnded(ContainerEnd end) {
                watcher.onEnded(end);
            }

            @Override
            public void onNonsense(String what) {
                watcher.onNonsense(what);
            }
        };
    }

    /** Starts to look for runtimes, and to list their containers. */
    public void start() {
        thread.scheduleWithFixedDelay(this::tick, 0, pace.tick().toMillis(), TimeUnit.MILLISECONDS);
    }

    // ---- for any thread

    /** Returns the identity of a container as it is known now. */
    public Optional<Identity> find(String id) {
        return cache.find(id);
    }

    /**
     * Returns the identity of a container once it is complete, or once no more can be expected. Fails if no runtime knows
     * the container, or none answers for long.
     */
    public CompletableFuture<Identity> lookUp(String id) {
        Optional<Identity> known = cache.find(id).filter(Identity::isWhole);
        if (known.isPresent()) {
            return CompletableFuture.completedFuture(known.get());
        }
        CompletableFuture<Identity> answer = new CompletableFuture<>();
        submit(
                () -> {
                    Ask ask = asks.get(id);
                    if (ask == null) {
                        ask = add(id);
                    }
                    if (ask == null) {
                        answer.completeExceptionally(new RuntimeFailure("too many containers are being asked about"));
                    } else {
                        ask.answer.whenComplete((identity, failure) -> {
                            if (failure == null) {
                                answer.complete(identity);
                            } else {
                                answer.completeExceptionally(failure);
                            }
                        });
                        goNow(ask);
                    }
                },
                () -> answer.completeExceptionally(new RuntimeFailure("too many containers are being asked about")));
        return answer;
    }

    /** A cgroup of this container exists: its identity is learnt before a kill. */
    public void onContainerCgroup(String id) {
        // A known container, too: Docker restarts a container under its old id. If the queue is full, a list finds it.
        submit(() -> warm(id), () -> {});
    }

    /** Returns the pid of the first parent of the container's main process that was seen: its shim, or conmon. */
    public Optional<Integer> shimPid(String id) {
        return Optional.ofNullable(shims.get(id)).map(Shim::pid);
    }

    /** Returns whether the victim was its container's first process; empty if that is not known. */
    public Optional<Boolean> isInit(Identity identity, int victimPid, Instant killedAt) {
        boolean mainLives = identity.mainPid() != null && processes.isIn(identity.mainPid(), identity.id());
        return identity.isInit(victimPid, killedAt, mainLives);
    }

    /** Returns the thread on which the listener of ends is called, for other sources of ends. */
    public Executor thread() {
        return thread;
    }

    /**
     * Returns the state of the runtimes: one entry for each kind that has a socket, or one entry if none has; and of their
     * event streams, where there are any.
     */
    public List<SourceStatus> status() {
        List<SourceStatus> all = new ArrayList<>();
        for (String kind : links.stream().map(RuntimeLink::kind).distinct().toList()) {
            links.stream()
                    .filter(link -> link.kind().equals(kind) && link.isPresent())
                    .map(RuntimeLink::status)
                    .min((a, b) -> a.getState().compareTo(b.getState()))
                    .ifPresent(all::add);
        }
        if (all.stream().anyMatch(status -> status.getState() == State.ACTIVE)) {
            // A Docker host has containerd's socket, too, with its cri plugin disabled.
            all.removeIf(status -> status.getState() == State.UNAVAILABLE);
        }
        if (all.isEmpty()) {
            String places = links.stream().map(link -> link.socket().toString()).collect(joining(", "));
            all.add(SourceStatus.newBuilder()
                    .setName("cri")
                    .setState(State.UNAVAILABLE)
                    .setDetail("no container runtime's socket is there (" + places
                            + "): containers are named by their ids")
                    .build());
        }
        links.stream()
                .filter(link -> link.kind().equals("docker"))
                .flatMap(link -> link.eventStatus().stream())
                .forEach(all::add);
        containerds.stream()
                .flatMap(events -> events.status().stream())
                .min((a, b) -> a.getState().compareTo(b.getState()))
                .ifPresent(all::add);
        if (criAnswers) {
            log.status().ifPresent(all::add);
        }
        return all;
    }

    private void submit(Runnable task, Runnable refused) {
        if (submitted.incrementAndGet() > MAX_ASKS) {
            submitted.decrementAndGet();
            refused.run();
            return;
        }
        try {
            thread.execute(() -> {
                submitted.decrementAndGet();
                task.run();
            });
        } catch (RejectedExecutionException e) {
            // The object is closed.
            submitted.decrementAndGet();
            refused.run();
        }
    }

    // ---- agent-identity thread

    private void tick() {
        links.forEach(link -> guard.run(PLACE, link::tick));
        containerds.forEach(events -> guard.run(PLACE, events::tick));
        criAnswers |= servesCri();
        if (criAnswers) {
            // Docker's own log and events say more of its containers.
            guard.run(PLACE, log::tick);
        }
        goAll();
    }

    private void goAll() {
        List.copyOf(asks.values()).forEach(this::go);
    }

    private void listed(RuntimeLink link, List<Identity> identities) {
        cache.retain(link, identities.stream().map(Identity::id).collect(toSet()));
        for (Identity identity : identities) {
            if (cache.find(identity.id()).isEmpty()) {
                learn(link, identity);
                if (!identity.isWhole()) {
                    warm(identity.id());
                }
            }
        }
        goAll();
        endWatch.onListed(link, identities);
    }

    private Identity learn(RuntimeLink link, Identity identity) {
        Integer pid = identity.mainPid();
        Identity confirmed =
                pid == null || processes.isConfirmed(pid, identity.id()) ? identity : identity.withoutMainPid();
        Integer mainPid = confirmed.mainPid();
        if (mainPid != null) {
            keepShim(identity.id(), mainPid);
        }
        cache.put(link, confirmed);
        Identity known = cache.find(identity.id()).orElse(confirmed);
        Ask ask = asks.get(identity.id());
        if (ask != null && known.isWhole()) {
            ask.answer.complete(known);
        }
        return known;
    }

    /** The first parent is the shim; that of a main process that lost it is process 1, or who takes its place. */
    private void keepShim(String id, int mainPid) {
        Shim known = shims.get(id);
        if ((known == null || known.mainPid() != mainPid) && processes.countsAsTheKernel()) {
            processes
                    .stat(mainPid)
                    .map(ProcStat::parentPid)
                    .filter(parent -> parent > 1)
                    .ifPresent(parent -> shims.put(id, new Shim(mainPid, parent)));
        }
    }

    private void warm(String id) {
        Ask ask = asks.containsKey(id) ? null : add(id);
        if (ask != null) {
            go(ask);
        }
    }

    private @Nullable Ask add(String id) {
        if (asks.size() >= MAX_ASKS) {
            return null;
        }
        Ask ask = new Ask(id);
        asks.put(id, ask);
        return ask;
    }

    /** Asks at once: a kill needs the answer. */
    private void goNow(Ask ask) {
        if (ask.retry != null) {
            ask.retry.cancel(false);
            ask.retry = null;
        }
        ask.pause = pace.firstRetry();
        go(ask);
    }

    /** Asks, unless a request is pending or no runtime answers: in that case the next list asks again. */
    private void go(Ask ask) {
        if (ask.isOut || ask.isScheduled() || !asks.containsKey(ask.id)) {
            return;
        }
        if (links.stream().allMatch(link -> link.runtime() == null)) {
            if (isTooLate(ask)) {
                giveUp(ask, "no container runtime answers");
            }
            return;
        }
        if (out < MAX_AT_A_TIME) {
            out++;
            ask.isOut = true;
            askFrom(ask, 0);
        }
    }

    private void askFrom(Ask ask, int at) {
        int index = at;
        while (index < links.size() && links.get(index).runtime() == null) {
            index++;
        }
        if (index == links.size()) {
            answered(ask, false);
            return;
        }
        RuntimeLink link = links.get(index);
        int next = index + 1;
        link.ask(ask.id).whenComplete((found, failure) -> {
            Optional<Identity> known = guard.get(
                    PLACE,
                    () -> {
                        if (failure != null) {
                            link.failed(failure);
                            return Optional.empty();
                        }
                        return found.map(identity -> learn(link, identity));
                    },
                    Optional.empty());
            guard.run(PLACE, () -> {
                if (known.isPresent()) {
                    answered(ask, known.get().isWhole());
                } else {
                    askFrom(ask, next);
                }
            });
        });
    }

    private void answered(Ask ask, boolean isWhole) {
        out--;
        ask.isOut = false;
        if (isWhole) {
            asks.remove(ask.id);
        } else if (isTooLate(ask)) {
            giveUp(ask, "no container runtime knows it");
        } else {
            ask.retry = thread.schedule(
                    () -> {
                        ask.retry = null;
                        go(ask);
                    },
                    ask.pause.toMillis(),
                    TimeUnit.MILLISECONDS);
            Duration twice = ask.pause.multipliedBy(2);
            ask.pause = twice.compareTo(pace.lastRetry()) < 0 ? twice : pace.lastRetry();
        }
        // A container that had no room may be asked about now.
        asks.values().stream()
                .filter(other -> !other.isOut && !other.isScheduled())
                .findFirst()
                .ifPresent(this::go);
    }

    /**
     * A runtime that is out may know the container when it is back; one that answers knows each container within moments.
     */
    private boolean isTooLate(Ask ask) {
        return ask.waitedFor(links.stream().anyMatch(RuntimeLink::isOut) ? pace.outage() : pace.patience());
    }

    private void giveUp(Ask ask, String reason) {
        asks.remove(ask.id);
        cache.find(ask.id)
                .ifPresentOrElse(
                        ask.answer::complete, () -> ask.answer.completeExceptionally(new RuntimeFailure(reason)));
    }

    private List<AutoCloseable> endAll() {
        return Stream.<AutoCloseable>concat(
                        links.stream().flatMap(link -> link.end().stream()),
                        containerds.stream().flatMap(events -> events.end().stream()))
                .toList();
    }

    private static void close(AutoCloseable connection) {
        try {
            connection.close();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() {
        try {
            List<AutoCloseable> open = thread.submit(this::endAll).get(CLOSE_TIMEOUT_SECONDS, TimeUnit.SECONDS);
            thread.submit(log::close);
            // The last failures come to the thread, which must still run.
            open.forEach(connection -> guard.run(PLACE, () -> close(connection)));
            thread.submit(() -> List.copyOf(asks.values()).forEach(ask -> giveUp(ask, "the agent ends")));
            thread.shutdown();
            thread.awaitTermination(CLOSE_TIMEOUT_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            LOG.warn("the connections to container runtimes did not end in order", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            thread.shutdownNow();
        }
    }
}
