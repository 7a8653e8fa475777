package dev.exit137.agent;

import dev.exit137.agent.cgroup.CgroupTree;
import dev.exit137.agent.cgroup.CgroupWatcher;
import dev.exit137.agent.container.ContainerProcesses;
import dev.exit137.agent.container.Identities;
import dev.exit137.agent.correlate.Correlator;
import dev.exit137.agent.correlate.KernelClock;
import dev.exit137.agent.correlate.KillBalance;
import dev.exit137.agent.correlate.KillReport;
import dev.exit137.agent.delivery.AgentWorker;
import dev.exit137.agent.exit.EndListener;
import dev.exit137.agent.exit.SignalBook;
import dev.exit137.agent.kmsg.KmsgFollower;
import dev.exit137.agent.kmsg.KmsgSource;
import dev.exit137.agent.systemd.SystemdUnits;
import dev.exit137.agent.trace.TraceSource;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.retry.Backoff;
import dev.exit137.exitreport.facts.End;
import dev.exit137.exitreport.facts.SeccompKill;
import dev.exit137.exitreport.facts.SentSignal;
import dev.exit137.oomreport.incident.IncidentAssembler;
import dev.exit137.oomreport.parse.KmsgRecordFlyweight;
import dev.exit137.proto.state.v1.Checkpoint;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.Losses;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.SourceStatus;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoRegistration;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The agent-epoll thread: one Netty loop with the inotify and the kmsg descriptor. It reads, parses, correlates and
 * reads the cgroup's files at once, and hands events to the agent-worker; it must never block.
 */
final class EvidenceLoop implements EndListener, KmsgSource.Sink, KmsgFollower.Listener, AutoCloseable {
    private static final long TICK_MILLIS = 1000;
    private static final long REVIEW_MILLIS = 50;
    private static final long QUIET_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
    private static final long QUIET_HEAD_NANOS = TimeUnit.SECONDS.toNanos(30);
    private static final int STATUS_EVERY_TICKS = 10;
    private static final int BASELINE_TRIES = 20;
    private static final long SETTLED = Long.MAX_VALUE;
    private static final int MAX_GRACES = 10;
    private static final String TRACE_OFF = "it is off (--trace); without it, the sender of a signal is not known";
    private static final Backoff.Policy REOPEN = new Backoff.Policy(
            Duration.ofSeconds(1), Duration.ofMinutes(1), Duration.ofMinutes(1), Backoff.Jitter.EQUAL);

    private final AgentConfig config;
    private final Identities identities;
    private final SystemdUnits units;
    private final ContainerProcesses processes;
    private final AgentWorker worker;
    private final InstantSource clock;
    private final Guard guard;
    private final Checkpoint remembered;
    private final StatusReporter status;
    private final KillBalance balance;
    private final @Nullable CgroupWatcher watcher;
    private final KmsgFollower kmsg;
    private final @Nullable TraceSource trace;
    private final SignalBook signals;
    private final Correlator correlator;
    private final IncidentAssembler assembler;
    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(
            1, new DefaultThreadFactory("agent-epoll", true), EpollIoHandler.newFactory());
    private final IoEventLoop loop = group.next();

    private long lastRecordNanos;
    private long steadySinceNanos;
    private long unsettledSinceNanos = SETTLED;
    private boolean live;
    private boolean settledOnce;
    private boolean reviewScheduled;
    private boolean reviewFailed;
    private boolean changed;
    private long sequenceAtCut;
    private long ticks;
    private boolean traced;
    private long traceLost;

    /**
     * @param signals takes the signals of the kernel's trace
     * @param remembered the checkpoint of this boot; null where there is none
     * @param clock the node's wall clock
     * @param guard of this process
     */
    EvidenceLoop(
            AgentConfig config,
            Node node,
            Identities identities,
            SystemdUnits units,
            ContainerProcesses processes,
            AgentWorker worker,
            SignalBook signals,
            @Nullable Checkpoint remembered,
            InstantSource clock,
            Guard guard) {
        this.config = config;
        this.identities = identities;
        this.units = units;
        this.processes = processes;
        this.worker = worker;
        this.signals = signals;
        this.clock = clock;
        this.guard = guard;
        this.remembered = remembered == null ? Checkpoint.getDefaultInstance() : remembered;
        status = new StatusReporter(node, this.remembered.getLosses(), clock);
        balance = new KillBalance(config.procRoot());
        if (remembered != null) {
            balance.restore(
                    remembered.getKillsBeforeFirstRecord(),
                    remembered.getKills(),
                    remembered.getRepeatedKillRecords(),
                    remembered.getKillsUnaccounted());
        }
        watcher = status.mount(config)
                .map(mount -> new CgroupWatcher(
                        mount,
                        System::nanoTime,
                        cgroup -> scheduleReview(),
                        this::onContainerCgroup,
                        config.sampleInterval(),
                        guard))
                .orElse(null);
        kmsg = new KmsgFollower(
                new KmsgSource(config.kmsgPath(), this.remembered.getKmsgNextSequence(), this, guard),
                this::register,
                (task, delayNanos) -> loop.schedule(task, delayNanos, TimeUnit.NANOSECONDS),
                new Backoff(REOPEN, System::nanoTime, new SplittableRandom()),
                this,
                guard);
        trace = config.trace()
                ? new TraceSource(
                        TraceSource.Settings.of(
                                config.stateDir(),
                                config.procRoot(),
                                config.senderCommand(),
                                this.remembered.getLosses().getTraceRecordsOverwritten()),
                        (signal, _) -> onSignal(signal),
                        this::register,
                        System::nanoTime,
                        clock,
                        guard)
                : null;
        correlator = new Correlator(
                node,
                config.procRoot(),
                watcher,
                balance,
                this::report,
                new KernelClock(System::nanoTime, clock),
                remembered != null,
                guard);
        assembler = new IncidentAssembler(correlator);
    }

    private void onSignal(SentSignal signal) {
        signals.add(signal);
        if (config.processExits()) {
            worker.processKills().onSignal(signal);
        }
    }

    private void onContainerCgroup(String id, Path directory) {
        identities.onContainerCgroup(id);
        processes.onContainerCgroup(id, directory);
    }

    /**
     * Reads the evidence of earlier kills and registers both descriptors, before it returns.
     *
     * @throws IOException if neither the kernel's log nor any cgroup can be read
     */
    void start() throws IOException {
        try {
            loop.submit(this::begin).get();
        } catch (ExecutionException e) {
            Throwable cause = Objects.requireNonNull(e.getCause());
            throw new IOException("cannot start to watch: " + cause.getMessage(), cause);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while starting", e);
        }
    }

    /**
     * Reads the counters first, then the log to its end: the kernel counts a kill before it prints it, so none is missed.
     */
    private void begin() {
        if (watcher != null) {
            watcher.start(remembered.getCgroupsList().stream()
                    .map(c -> new CgroupTree.Account(c.getInode(), c.getLocalKills(), c.getTreeKills(), c.getOoms()))
                    .toList());
        }
        kmsg.open();
        long counted;
        int tries = 0;
        do {
            counted = balance.read();
            if (watcher != null) {
                watcher.refreshAll();
            }
            kmsg.drain();
        } while (balance.read() != counted && ++tries < BASELINE_TRIES);
        correlator.startLive();
        live = true;
        if (watcher != null && watcher.hasDescriptor()) {
            register(watcher);
        }
        kmsg.follow();
        beginTrace();
        if (watcher == null && kmsg.isUnavailable()) {
            throw new IllegalStateException("there is nothing to watch: " + status.problems());
        }
        loop.scheduleAtFixedRate(guard.guarded("tick", this::tick), TICK_MILLIS, TICK_MILLIS, TimeUnit.MILLISECONDS);
        steadySinceNanos = System.nanoTime();
        changed = true;
        // The status is the first message on the stream, before all events.
        guard.run("status", () -> worker.submit(status()));
        scheduleReview();
    }

    private IoRegistration register(EpollIoHandle handle) {
        Future<IoRegistration> registering = loop.register(handle);
        IoRegistration registration = registering.getNow();
        if (registration == null) {
            throw new IllegalStateException("epoll does not take it", registering.cause());
        }
        try {
            registration.submit(EpollIoOps.EPOLLIN);
            return registration;
        } catch (RuntimeException e) {
            registration.cancel();
            throw e;
        }
    }

    /** Takes the end of a container that is a success. Any thread; never blocks. */
    @Override
    public void onSuccess(End end) {
        worker.submitSuccess(end);
    }

    /**
     * Takes the end of a container or a service, and hands it to the worker after every signal that may have caused it.
     * Any thread; never blocks.
     */
    @Override
    public void onEnd(End end) {
        loop.execute(() -> {
            TraceSource source = trace;
            if (source != null && live) {
                guard.run("trace", source::readAll);
            }
            worker.submit(end);
        });
    }

    private void report(KillReport report) {
        worker.submit(report);
        lookAgain();
    }

    // ---- KmsgSource.Sink

    @Override
    public boolean hasRoom() {
        // Before the agent is live, it reads the whole ring: the ring itself is bounded.
        return !live || worker.hasRoom();
    }

    @Override
    public void onRecord(KmsgRecordFlyweight kernelRecord) {
        correlator.onRecord(kernelRecord.timestampMicros(), kmsg.source().isBacklog());
        if (assembler.onRecord(kernelRecord)) {
            lastRecordNanos = System.nanoTime();
        }
        if (kernelRecord.isValid() && SeccompKill.isLikely(kernelRecord.buffer(), kernelRecord.messageOffset())) {
            guard.run("seccomp", () -> SeccompKill.of(message(kernelRecord)).ifPresent(worker::submit));
        }
        if (assembler.isInHead()) {
            correlator.onReportRecord(kernelRecord);
        }
        if (assembler.isOpen()) {
            scheduleReview();
        }
    }

    private static String message(KmsgRecordFlyweight kernelRecord) {
        return new String(
                kernelRecord.buffer(),
                kernelRecord.messageOffset(),
                kernelRecord.messageLength(),
                StandardCharsets.UTF_8);
    }

    @Override
    public void onGap() {
        assembler.close();
        lookAgain();
    }

    @Override
    public void onPaused() {
        status.onBackpressure();
        kmsg.pause();
        lookAgain();
    }

    @Override
    public void onFailed(String reason) {
        kmsg.failed(reason);
    }

    // ---- KmsgFollower.Listener

    @Override
    public void onUnavailable(String reason) {
        status.kmsgUnavailable(reason);
        lookAgain();
    }

    @Override
    public void onReopened() {
        status.kmsgAvailable();
        lookAgain();
    }

    // ---- time

    private void tick() {
        if (!live) {
            return;
        }
        long now = System.nanoTime();
        CgroupWatcher cgroups = watcher;
        if (cgroups != null) {
            guard.run("cgroups", () -> cgroups.tick(now));
        }
        guard.run("correlate", correlator::tick);
        TraceSource source = trace;
        if (source != null) {
            guard.run("trace", () -> {
                source.tick();
                lookAt(source);
            });
        }
        guard.run("review", () -> lookAtCounters(now));
        // A review or a cut that failed is tried again.
        if (reviewFailed || changed || assembler.isOpen()) {
            scheduleReview();
        }
        if (++ticks % STATUS_EVERY_TICKS == 0) {
            guard.run("status", this::submitStatus);
        }
    }

    private void beginTrace() {
        if (trace == null) {
            signals.unavailable(TRACE_OFF);
            return;
        }
        trace.open();
        trace.readAll();
        trace.follow();
        lookAt(trace);
    }

    /** Says to whoever joins signals with ends which signals it must have. */
    private void lookAt(TraceSource source) {
        long lost = source.recordsLost() + source.recordsMalformed();
        Instant since = source.since();
        if (since == null) {
            signals.unavailable(source.status().getDetail());
        } else if (lost != traceLost || !traced) {
            signals.wholeSince(traced ? clock.instant() : since);
        }
        traceLost = lost;
        traced = since != null;
    }

    private void lookAtCounters(long now) {
        if (vmstatMoved(now)) {
            if (watcher != null && !watcher.notifiesCounters()) {
                watcher.refreshAll();
            }
            scheduleReview();
        }
    }

    private void lookAgain() {
        changed = true;
        scheduleReview();
    }

    private void scheduleReview() {
        if (!reviewScheduled && live) {
            loop.schedule(this::reviewNow, REVIEW_MILLIS, TimeUnit.MILLISECONDS);
            reviewScheduled = true;
        }
    }

    private void reviewNow() {
        reviewScheduled = false;
        if (live) {
            reviewFailed = !guard.run("review", this::review);
            guard.run("status", this::cutIfChanged);
        }
    }

    /** Does all work that waits for time to pass, and schedules itself again while such work is left. */
    private void review() {
        long now = System.nanoTime();
        if (kmsg.isPaused() && worker.hasRoom()) {
            kmsg.follow();
        }
        if (!kmsg.isPaused()) {
            vmstatMoved(now);
            kmsg.drain();
        }
        closeQuietIncident(now);
        if (assembler.isOpen()) {
            scheduleReview();
        }
        if (!kmsg.isPaused() && everyRecordHasCome(now)) {
            settle(now);
        } else {
            scheduleReview();
        }
    }

    private boolean vmstatMoved(long now) {
        long before = balance.vmstat();
        if (balance.read() == before && before != KillBalance.UNKNOWN) {
            return false;
        }
        steadySinceNanos = now;
        unsettledSinceNanos = unsettledSinceNanos == SETTLED ? now : unsettledSinceNanos;
        return true;
    }

    /**
     * Returns whether the records of all counted kills have come. If kills never stop for as long as the grace, the agent
     * settles after some graces, at a moment without a new kill.
     */
    private boolean everyRecordHasCome(long now) {
        long grace = config.counterGrace().toNanos();
        if (kmsg.isUnavailable() || now - steadySinceNanos >= grace) {
            return true;
        }
        long counted = balance.vmstat();
        boolean waitedLong = unsettledSinceNanos != SETTLED && now - unsettledSinceNanos >= MAX_GRACES * grace;
        return waitedLong && balance.read() == counted;
    }

    private void cutIfChanged() {
        if (changed && !assembler.isOpen()) {
            cut();
        }
    }

    private void closeQuietIncident(long now) {
        boolean headOnly = assembler.isOpen() && assembler.incident().kills() == 0;
        if (now - lastRecordNanos > (headOnly ? QUIET_HEAD_NANOS : QUIET_NANOS)) {
            assembler.close();
        }
    }

    private void settle(long now) {
        boolean settled = watcher == null || correlator.surplus().settle(watcher, clock.instant(), now, !settledOnce);
        if (!settled) {
            steadySinceNanos = now;
            scheduleReview();
            return;
        }
        settledOnce = true;
        unsettledSinceNanos = SETTLED;
        balance.settle();
        changed = true;
    }

    private void cut() {
        long sequence = kmsg.source().nextSequence();
        worker.submit(status.checkpoint(sequence, balance, watcher, losses()), status());
        sequenceAtCut = sequence;
        changed = false;
    }

    private void submitStatus() {
        if (kmsg.source().nextSequence() != sequenceAtCut && !assembler.isOpen()) {
            cut();
        } else {
            worker.submit(status());
        }
    }

    private Losses losses() {
        return status.losses(
                kmsg,
                watcher,
                correlator,
                trace,
                signals,
                worker.processKills().dropped(),
                worker.checkpointFailures());
    }

    /** Returns the agent's status. Any thread; never blocks. */
    CompletableFuture<AgentStatus> statusNow() {
        return CompletableFuture.supplyAsync(this::status, loop);
    }

    /** Returns the thread's executor, for a heartbeat. */
    Executor thread() {
        return loop;
    }

    private AgentStatus status() {
        List<SourceStatus> others = new ArrayList<>(identities.status());
        units.status().ifPresent(others::add);
        others.add(
                trace == null
                        ? SourceStatus.newBuilder()
                                .setName("trace")
                                .setState(SourceStatus.State.UNAVAILABLE)
                                .setDetail(TRACE_OFF)
                                .build()
                        : trace.status());
        return status.status(watcher, balance, losses(), others);
    }

    /** Ends the loop, after it has handed a last cut to the worker. */
    @Override
    public void close() {
        loop.submit(this::end).awaitUninterruptibly(1, TimeUnit.SECONDS);
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(2, TimeUnit.SECONDS);
    }

    private void end() {
        if (live) {
            guard.run("status", this::lastCut);
        }
        // The loop closes the descriptors before it drops its tasks: after that no task may touch them.
        live = false;
        kmsg.close();
        if (trace != null) {
            trace.close();
        }
    }

    private void lastCut() {
        // If only the head of a report was read, the report is read again after the next start.
        if (assembler.incident().kills() > 0) {
            assembler.close();
        }
        if (!assembler.isOpen()) {
            cut();
        }
    }
}
