package dev.exit137.agent.report;

import com.google.protobuf.ByteString;
import dev.exit137.agent.correlate.KillReport;
import dev.exit137.agent.identity.Identities;
import dev.exit137.agent.uplink.Uplink;
import dev.exit137.proto.security.ClientSecurity;
import dev.exit137.proto.state.v1.Checkpoint;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.EventAck;
import dev.exit137.proto.v1.OomKillEvent;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The agent-worker thread: completes events, keeps them until an aggregator has them, and writes the checkpoint. What
 * comes in is bounded by {@link #hasRoom}: the kernel's ring is the buffer beyond it.
 */
public final class AgentWorker implements Uplink.Source, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(AgentWorker.class);
  private static final int MAX_QUEUED_REPORTS = 256;
  private static final long MAX_QUEUED_REPORT_BYTES = 2 << 20;
  private static final long MAX_HELD_BYTES = 4 << 20;
  private static final long MIN_CHECKPOINT_INTERVAL_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
  private static final long CLOSE_TIMEOUT_SECONDS = 2;

  private final ScheduledThreadPoolExecutor thread = new OutspokenExecutor();
  private final CheckpointFile checkpointFile;
  private final Outbox outbox = new Outbox();
  private final OomEventMapper mapper;
  private final NameWait names;
  private final Uplink uplink;
  private final AtomicInteger queuedReports = new AtomicInteger();
  private final AtomicLong queuedReportBytes = new AtomicLong();
  private final AtomicLong heldBytes = new AtomicLong();
  private final AtomicLong checkpointFailures = new AtomicLong();

  private Checkpoint cut = Checkpoint.getDefaultInstance();
  private AgentStatus status;
  private boolean checkpointDue;

  /** Says what a task threw; the executor itself keeps it in a future that nobody looks at. */
  private static final class OutspokenExecutor extends ScheduledThreadPoolExecutor {
    OutspokenExecutor() {
      super(1, task -> new Thread(task, "agent-worker"));
    }

    @Override
    protected void afterExecute(Runnable task, Throwable thrown) {
      if (task instanceof Future<?> done && done.state() == Future.State.FAILED) {
        LOG.error("the agent's worker goes on after a failure", done.exceptionNow());
      }
    }
  }

  /**
   * @param unacknowledged events of an earlier run that no aggregator has
   * @param identityTimeout how long an event waits for its container's name
   */
  public AgentWorker(
      CheckpointFile checkpointFile,
      List<String> aggregators,
      ClientSecurity security,
      List<OomKillEvent> unacknowledged,
      Identities identities,
      OomEventMapper mapper,
      Duration identityTimeout) {
    this.checkpointFile = checkpointFile;
    thread.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    uplink = new Uplink(aggregators, security, thread, this);
    this.mapper = mapper;
    names = new NameWait(identities, mapper, identityTimeout, outbox, thread, this::ready);
    unacknowledged.forEach(outbox::add);
    heldBytes.set(outbox.bytes());
  }

  /** Begins to send. */
  public void start() {
    thread.execute(uplink::connect);
  }

  /** Whether another event may be submitted. Any thread. */
  public boolean hasRoom() {
    return queuedReports.get() < MAX_QUEUED_REPORTS
        && queuedReportBytes.get() < MAX_QUEUED_REPORT_BYTES
        && heldBytes.get() < MAX_HELD_BYTES;
  }

  /** Checkpoints that could not be written. Any thread. */
  public long checkpointFailures() {
    return checkpointFailures.get();
  }

  /** Takes an event. Any thread; never blocks. */
  public void submit(KillReport report) {
    queuedReports.incrementAndGet();
    queuedReportBytes.addAndGet(report.blocksLength());
    thread.execute(() -> take(report));
  }

  /**
   * Takes the state of the agent after all events submitted before. Any thread; never blocks.
   *
   * @param newCut to be remembered, but for the unacknowledged events and the workloads, which are known here
   */
  public void submit(Checkpoint newCut, AgentStatus newStatus) {
    thread.execute(
        () -> {
          // What came after it is read again after a crash, and counted then.
          cut = newCut.toBuilder().addAllWorkloads(mapper.workloads().histories()).build();
          submitStatus(newStatus);
          scheduleCheckpoint();
        });
  }

  /** Takes a new status. Any thread; never blocks. */
  public void submit(AgentStatus newStatus) {
    thread.execute(() -> submitStatus(newStatus));
  }

  private void submitStatus(AgentStatus newStatus) {
    status = newStatus;
    uplink.sendStatus();
  }

  private void take(KillReport report) {
    names.take(completed(report));
    queuedReports.decrementAndGet();
    queuedReportBytes.addAndGet(-report.blocksLength());
    ready();
  }

  private void ready() {
    heldBytes.set(outbox.bytes());
    uplink.pump();
  }

  private OomKillEvent completed(KillReport report) {
    try {
      return mapper.map(report);
    } catch (RuntimeException e) {
      LOG.error("event {} goes out without its cgroup's files and names", report.event().getEventId(), e);
      return report.event();
    }
  }

  // ---- Uplink.Source

  @Override
  public void onConnected() {
    outbox.resendAll();
  }

  @Override
  public ByteString pollUnsent() {
    return outbox.pollUnsent();
  }

  @Override
  public AgentStatus status() {
    return status == null ? null : status.toBuilder().setUnacknowledgedEvents(outbox.size()).build();
  }

  @Override
  public void onAcknowledged(List<EventAck> acks) {
    acks.forEach(outbox::acknowledge);
    heldBytes.set(outbox.bytes());
    if (outbox.size() == 0) {
      uplink.sendStatus();
    }
    scheduleCheckpoint();
  }

  // ---- checkpoint

  private void scheduleCheckpoint() {
    if (!checkpointDue && !cut.getBootId().isEmpty()) {
      checkpointDue = true;
      thread.schedule(this::writeCheckpoint, MIN_CHECKPOINT_INTERVAL_NANOS, TimeUnit.NANOSECONDS);
    }
  }

  private void writeCheckpoint() {
    checkpointDue = false;
    try {
      checkpointFile.write(cut.toBuilder().addAllUnacknowledged(outbox.unacknowledged()).build());
    } catch (IOException e) {
      if (checkpointFailures.getAndIncrement() == 0) {
        LOG.error("the checkpoint cannot be written: {}; after a restart, events may be sent again", e.toString());
      }
    }
  }

  /** Writes the last checkpoint and ends the thread. What is not acknowledged is sent after the next start. */
  @Override
  public void close() {
    thread.execute(uplink::close);
    try {
      uplink.awaitClosed(CLOSE_TIMEOUT_SECONDS);
      thread.execute(
          () -> {
            if (!cut.getBootId().isEmpty()) {
              writeCheckpoint();
            }
          });
      thread.shutdown();
      if (!thread.awaitTermination(CLOSE_TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
        LOG.warn("the agent's worker did not end within {} s", CLOSE_TIMEOUT_SECONDS);
        thread.shutdownNow();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
