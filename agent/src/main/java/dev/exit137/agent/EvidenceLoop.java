package dev.exit137.agent;

import dev.exit137.agent.cgroup.CgroupMount;
import dev.exit137.agent.cgroup.CgroupTree;
import dev.exit137.agent.cgroup.CgroupWatcher;
import dev.exit137.agent.correlate.Correlator;
import dev.exit137.agent.correlate.KernelClock;
import dev.exit137.agent.correlate.KillBalance;
import dev.exit137.agent.correlate.KillReport;
import dev.exit137.agent.identity.ContainerProcesses;
import dev.exit137.agent.identity.Identities;
import dev.exit137.agent.incident.IncidentAssembler;
import dev.exit137.agent.kmsg.KmsgRecordFlyweight;
import dev.exit137.agent.kmsg.KmsgSource;
import dev.exit137.agent.report.AgentWorker;
import dev.exit137.proto.guard.Guard;
import dev.exit137.proto.state.v1.Checkpoint;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.Losses;
import dev.exit137.proto.v1.Node;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoRegistration;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/**
 * The agent-epoll thread: one Netty loop with the inotify and the kmsg descriptor. It reads, parses, correlates and
 * reads the cgroup's files at once, and hands events to the agent-worker; it must not wait for anything.
 */
final class EvidenceLoop implements KmsgSource.Sink, AutoCloseable {
  private static final long TICK_MILLIS = 1000;
  private static final long REVIEW_MILLIS = 50;
  private static final long QUIET_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
  private static final long QUIET_HEAD_NANOS = TimeUnit.SECONDS.toNanos(30);
  private static final int STATUS_EVERY_TICKS = 10;
  private static final int BASELINE_TRIES = 20;
  private static final long SETTLED = Long.MAX_VALUE;
  private static final int MAX_GRACES = 10;

  private final AgentConfig config;
  private final Identities identities;
  private final ContainerProcesses processes;
  private final AgentWorker worker;
  private final InstantSource clock;
  private final Guard guard;
  private final Checkpoint remembered;
  private final StatusReporter status;
  private final KillBalance balance;
  private final Optional<CgroupWatcher> watcher;
  private final Optional<KmsgSource> kmsg;
  private final Correlator correlator;
  private final IncidentAssembler assembler;
  private final MultiThreadIoEventLoopGroup group =
      new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("agent-epoll", true), EpollIoHandler.newFactory());
  private final IoEventLoop loop = group.next();

  private IoRegistration kmsgRegistration;
  private long lastRecordNanos;
  private long steadySinceNanos;
  private long unsettledSinceNanos = SETTLED;
  private boolean live;
  private boolean settledOnce;
  private boolean reviewScheduled;
  private boolean changed;
  private long sequenceAtCut;
  private long ticks;

  /**
   * @param remembered the checkpoint of this boot; empty where there is none
   * @param clock the node's wall clock
   * @param guard of this process
   * @throws IOException neither the kernel's log nor any cgroup can be read
   */
  EvidenceLoop(
      AgentConfig config,
      Node node,
      Identities identities,
      ContainerProcesses processes,
      AgentWorker worker,
      Optional<Checkpoint> remembered,
      InstantSource clock,
      Guard guard)
      throws IOException {
    this.config = config;
    this.identities = identities;
    this.processes = processes;
    this.worker = worker;
    this.clock = clock;
    this.guard = guard;
    this.remembered = remembered.orElse(Checkpoint.getDefaultInstance());
    status = new StatusReporter(node, this.remembered.getLosses(), clock);
    balance = new KillBalance(config.procRoot());
    remembered.ifPresent(
        c ->
            balance.restore(
                c.getKillsBeforeFirstRecord(), c.getKills(), c.getRepeatedKillRecords(), c.getKillsUnaccounted()));
    Optional<CgroupMount> mount = status.mount(config);
    watcher = openWatcher(mount);
    kmsg = openKmsg();
    if (watcher.isEmpty() && kmsg.isEmpty()) {
      group.shutdownGracefully(0, 0, TimeUnit.SECONDS);
      throw new IOException("there is nothing to watch: " + status.problems());
    }
    correlator =
        new Correlator(
            node, config.procRoot(), watcher, balance,
            this::report, new KernelClock(System::nanoTime, clock), remembered.isPresent());
    assembler = new IncidentAssembler(correlator);
  }

  private Optional<CgroupWatcher> openWatcher(Optional<CgroupMount> mount) {
    if (mount.isEmpty()) {
      return Optional.empty();
    }
    try {
      return Optional.of(
          new CgroupWatcher(
              mount.get(), System::nanoTime, cgroup -> scheduleReview(), this::onContainerCgroup,
              config.sampleInterval()));
    } catch (IOException e) {
      status.countersUnavailable(e.getMessage());
      return Optional.empty();
    }
  }

  private void onContainerCgroup(String id, Path directory) {
    identities.onContainerCgroup(id);
    processes.onContainerCgroup(id, directory);
  }

  private Optional<KmsgSource> openKmsg() {
    try {
      return Optional.of(new KmsgSource(config.kmsgPath(), remembered.getKmsgNextSequence(), this));
    } catch (IOException e) {
      status.kmsgUnavailable(e.getMessage());
      return Optional.empty();
    }
  }

  /** Returns when what happened before is read and both descriptors are watched. */
  void start() throws IOException {
    try {
      loop.submit(this::begin).get();
    } catch (ExecutionException e) {
      throw new IOException("cannot start to watch: " + e.getCause().getMessage(), e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while starting", e);
    }
  }

  /** Counters first, then the log to its end: a kill is counted before it is printed, so none falls in between. */
  private void begin() {
    watcher.ifPresent(
        w ->
            w.start(
                remembered.getCgroupsList().stream()
                    .map(c -> new CgroupTree.Account(c.getInode(), c.getLocalKills(), c.getTreeKills(), c.getOoms()))
                    .toList()));
    long counted;
    int tries = 0;
    do {
      counted = balance.read();
      watcher.ifPresent(CgroupWatcher::refreshAll);
      kmsg.ifPresent(KmsgSource::drain);
    } while (balance.read() != counted && ++tries < BASELINE_TRIES);
    correlator.startLive();
    live = true;
    watcher.ifPresent(this::register);
    kmsg.ifPresent(this::registerKmsg);
    if (watcher.isEmpty() && status.isKmsgUnavailable()) {
      throw new IllegalStateException("there is nothing to watch: " + status.problems());
    }
    loop.scheduleAtFixedRate(guard.guarded("tick", this::tick), TICK_MILLIS, TICK_MILLIS, TimeUnit.MILLISECONDS);
    steadySinceNanos = System.nanoTime();
    changed = true;
    // It is the first on the stream, whatever else is there to send.
    worker.submit(status());
    scheduleReview();
  }

  private IoRegistration register(EpollIoHandle handle) {
    IoRegistration registration = loop.register(handle).getNow();
    if (registration == null) {
      throw new IllegalStateException("epoll does not take " + handle.getClass().getSimpleName());
    }
    registration.submit(EpollIoOps.EPOLLIN);
    return registration;
  }

  private void registerKmsg(KmsgSource source) {
    try {
      kmsgRegistration = register(source);
    } catch (RuntimeException e) {
      // A device that cannot be waited for, /dev/null among them.
      onFailed("it is not the kernel's log device (" + e.getMessage() + ")");
    }
  }

  private void report(KillReport report) {
    worker.submit(report);
    changed = true;
    scheduleReview();
  }

  // ---- KmsgSource.Sink

  @Override
  public boolean hasRoom() {
    // Before it is live, the ring is read whole: it is bounded itself.
    return !live || worker.hasRoom();
  }

  @Override
  public void onRecord(KmsgRecordFlyweight kernelRecord) {
    correlator.onLiveRecord(kernelRecord.timestampMicros());
    if (assembler.onRecord(kernelRecord)) {
      lastRecordNanos = System.nanoTime();
    }
    if (assembler.isInHead()) {
      correlator.onReportRecord(kernelRecord);
    }
    if (assembler.isOpen()) {
      scheduleReview();
    }
  }

  @Override
  public void onGap() {
    assembler.close();
    changed = true;
    scheduleReview();
  }

  @Override
  public void onPaused() {
    status.onBackpressure();
    changed = true;
    if (kmsgRegistration != null) {
      kmsgRegistration.cancel();
      kmsgRegistration = null;
    }
    scheduleReview();
  }

  @Override
  public void onFailed(String reason) {
    status.kmsgUnavailable("reading --kmsg-path " + config.kmsgPath() + " failed: " + reason);
    if (kmsgRegistration != null) {
      kmsgRegistration.cancel();
      kmsgRegistration = null;
    }
  }

  // ---- time

  private void tick() {
    if (!live) {
      return;
    }
    long now = System.nanoTime();
    watcher.ifPresent(w -> w.tick(now));
    correlator.tick();
    if (vmstatMoved(now)) {
      watcher.filter(w -> !w.notifiesCounters()).ifPresent(CgroupWatcher::refreshAll);
      scheduleReview();
    }
    if (++ticks % STATUS_EVERY_TICKS == 0) {
      if (nextSequence() != sequenceAtCut && !assembler.isOpen()) {
        cut();
      } else {
        worker.submit(status());
      }
    }
  }

  private void scheduleReview() {
    if (!reviewScheduled && live) {
      reviewScheduled = true;
      loop.schedule(guard.guarded("review", this::review), REVIEW_MILLIS, TimeUnit.MILLISECONDS);
    }
  }

  /** Looks again at all that waits for time to pass; comes back as long as anything does. */
  private void review() {
    reviewScheduled = false;
    if (!live) {
      return;
    }
    long now = System.nanoTime();
    if (kmsgRegistration == null && kmsg.isPresent() && !status.isKmsgUnavailable()) {
      if (!worker.hasRoom()) {
        closeQuietIncident(now);
        cutIfChanged();
        scheduleReview();
        return;
      }
      registerKmsg(kmsg.get());
    }
    vmstatMoved(now);
    kmsg.ifPresent(KmsgSource::drain);
    closeQuietIncident(now);
    boolean paused = kmsgRegistration == null && !status.isKmsgUnavailable();
    if (!paused && everyRecordHasCome(now)) {
      settle(now);
    } else {
      scheduleReview();
    }
    if (assembler.isOpen()) {
      scheduleReview();
    }
    cutIfChanged();
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
   * Whether what the counters show has its records by now. Where kills come faster than the grace without an end, a
   * moment without one must do.
   */
  private boolean everyRecordHasCome(long now) {
    long grace = config.counterGrace().toNanos();
    if (status.isKmsgUnavailable() || now - steadySinceNanos >= grace) {
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
    boolean settled =
        watcher.map(w -> correlator.surplus().settle(w, clock.instant(), now, !settledOnce)).orElse(true);
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
    changed = false;
    sequenceAtCut = nextSequence();
    worker.submit(status.checkpoint(sequenceAtCut, balance, watcher, losses()), status());
  }

  private long nextSequence() {
    return kmsg.map(KmsgSource::nextSequence).orElse(remembered.getKmsgNextSequence());
  }

  private Losses losses() {
    return status.losses(kmsg, watcher, correlator, worker.checkpointFailures());
  }

  /** What the agent says of itself now. Any thread; never blocks. */
  CompletableFuture<AgentStatus> statusNow() {
    return CompletableFuture.supplyAsync(this::status, loop);
  }

  /** The thread, to learn whether it lives. */
  Executor thread() {
    return loop;
  }

  private AgentStatus status() {
    return status.status(watcher, balance, losses(), identities.status());
  }

  /** Ends the loop; a last cut is handed to the worker first. */
  @Override
  public void close() {
    loop.submit(
            guard.guarded(
                "loop",
                () -> {
                  // A report of which only the head was read is read again after the next start.
                  if (live && assembler.incident().kills() > 0) {
                    assembler.close();
                  }
                  if (live && !assembler.isOpen()) {
                    cut();
                  }
                  // The loop closes the descriptors before it drops its tasks: none may touch them then.
                  live = false;
                }))
        .awaitUninterruptibly(1, TimeUnit.SECONDS);
    group.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(2, TimeUnit.SECONDS);
  }
}
