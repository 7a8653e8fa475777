package dev.exit137.agent.delivery;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Timestamp;
import com.google.protobuf.util.Timestamps;
import dev.exit137.agent.container.Identities;
import dev.exit137.agent.correlate.KillReport;
import dev.exit137.agent.delivery.spool.Spool;
import dev.exit137.agent.delivery.uplink.Uplink;
import dev.exit137.agent.exit.ExitJoiner;
import dev.exit137.agent.exit.ProcessKills;
import dev.exit137.agent.exit.SignalBook;
import dev.exit137.agent.metrics.KillMetrics;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.guard.GuardedThread;
import dev.exit137.daemon.retry.Backoff;
import dev.exit137.daemon.tls.ClientSecurity;
import dev.exit137.exitreport.facts.End;
import dev.exit137.exitreport.facts.SeccompKill;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.state.v1.Checkpoint;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.EventAck;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.Losses;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.PublishEventsRequest;
import io.grpc.Status;
import java.io.IOException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadPoolExecutor.DiscardPolicy;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The agent-worker thread: completes events, keeps them until an aggregator has them, and writes the checkpoint. An
 * event is sent, and the checkpoint moves past it, once it is on the disk; while the disk takes no writes, it is sent
 * from memory. {@link #hasRoom} bounds the events that are not on the disk: beyond that, the kernel's ring is the
 * buffer. After an unexpected failure the event goes out with the fields that are known, and the thread takes the next
 * one.
 */
public final class AgentWorker implements Uplink.Source, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(AgentWorker.class);
    private static final int MAX_QUEUED_REPORTS = 256;
    private static final long MAX_QUEUED_REPORT_BYTES = 2 << 20;
    private static final long MAX_HELD_BYTES = 4 << 20;
    private static final long MIN_CHECKPOINT_INTERVAL_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final Backoff.Policy RECONNECT = new Backoff.Policy(
            Duration.ofMillis(200), Duration.ofSeconds(30), Duration.ofSeconds(10), Backoff.Jitter.FULL);
    private static final long RETRY_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long CLOSE_TIMEOUT_SECONDS = 2;

    private final GuardedThread thread;
    private final CheckpointFile checkpointFile;
    private final Spool spool;
    private final Outbox outbox;
    private final RefusedEvents refusedEvents;
    private final OomEventMapper mapper;
    private final KillMetrics metrics;
    private final ExitJoiner exits;
    private final ProcessKills processKills;
    private final NameWait names;
    private final ContainerFate fate;
    private final EventSink sink;
    private final InstantSource clock;
    private final Guard guard;
    private final long droppedBefore;
    private final Map<String, Long> errorsBefore;
    private final Uplink uplink;
    private final AtomicInteger queuedReports = new AtomicInteger();
    private final AtomicLong queuedReportBytes = new AtomicLong();
    private final AtomicLong heldBytes = new AtomicLong();
    private final AtomicLong checkpointFailures = new AtomicLong();

    private Checkpoint cut = Checkpoint.getDefaultInstance();
    private @Nullable AgentStatus status;
    private Checkpoint durableCut = cut;
    private boolean checkpointDue;
    private boolean checkpointFails;
    private boolean flushDue;
    private Timestamp lastExit;

    /**
     * @param last the checkpoint of an earlier run, if there was one; maybe of another boot
     * @param before losses of earlier runs in this boot
     * @param node in each event
     * @param signals of the node, for the causes of ends
     * @param containers for the names of senders, and the main processes of ends
     * @param identityTimeout how long an event waits for its container's name
     * @param sink receives each event as it goes out
     * @param clock the node's wall clock
     * @param guard of this process
     */
    public AgentWorker(
            CheckpointFile checkpointFile,
            Spool spool,
            List<String> aggregators,
            ClientSecurity security,
            Checkpoint last,
            Losses before,
            Node node,
            Identities identities,
            SignalBook signals,
            ExitJoiner.Containers containers,
            OomEventMapper mapper,
            KillMetrics metrics,
            Duration identityTimeout,
            EventSink sink,
            InstantSource clock,
            Guard guard) {
        this.checkpointFile = checkpointFile;
        this.spool = spool;
        thread = new GuardedThread(Thread.ofPlatform().name("agent-worker").factory(), "worker", guard);
        // The last tasks before a shutdown do the work of the tasks queued after them.
        thread.setRejectedExecutionHandler(new DiscardPolicy());
        outbox = new Outbox(spool, last.getSpoolList(), before, guard);
        refusedEvents = new RefusedEvents(checkpointFile.directory);
        uplink = new Uplink(
                aggregators,
                security,
                thread,
                this,
                PATIENCE,
                new Backoff(RECONNECT, System::nanoTime, new SplittableRandom()),
                clock,
                guard);
        this.mapper = mapper;
        this.metrics = metrics;
        exits = new ExitJoiner(node, signals, containers, this::sendExit, thread, clock, guard);
        processKills = new ProcessKills(exits, thread, System::nanoTime, guard);
        names = new NameWait(
                identities,
                mapper,
                identityTimeout,
                outbox,
                metrics,
                thread,
                this::scheduleFlush,
                this::wentOut,
                guard);
        fate = new ContainerFate(
                event -> guard.get("fate", () -> mapper.isContainerAlive(event), Optional.empty()),
                (event, outlived) -> names.revise(mapper.withFate(event, outlived)),
                thread);
        this.sink = sink;
        this.clock = clock;
        this.guard = guard;
        droppedBefore = before.getLogEventsDropped();
        errorsBefore = before.getInternalErrorsMap();
        lastExit = last.hasLastExit() ? last.getLastExit() : EventFactory.timestamp(clock.instant());
        last.getUnacknowledgedList().forEach(this::takeOver);
    }

    /** Takes over an event of a checkpoint from a version without a spool. */
    private void takeOver(ByteString event) {
        try {
            outbox.add(OomKillEvent.parseFrom(event));
        } catch (InvalidProtocolBufferException e) {
            LOG.error("an event of the last checkpoint cannot be read: {}", e.getMessage());
            outbox.countUnreadable();
        }
    }

    /** Starts to send. */
    public void start() {
        thread.execute(this::flush);
        thread.execute(uplink::connect);
    }

    /** Returns whether another event may be submitted. Any thread. */
    public boolean hasRoom() {
        return queuedReports.get() < MAX_QUEUED_REPORTS
                && queuedReportBytes.get() < MAX_QUEUED_REPORT_BYTES
                && heldBytes.get() < MAX_HELD_BYTES;
    }

    /** Returns the number of checkpoints that could not be written. Any thread. */
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
     * @param newCut written to the checkpoint once those events are on the disk; this thread adds the workloads
     */
    public void submit(Checkpoint newCut, AgentStatus newStatus) {
        thread.execute(() -> {
            // A later event is read again after a crash, and counted then.
            cut = newCut.toBuilder()
                    .addAllWorkloads(mapper.workloads.histories())
                    .build();
            scheduleCheckpoint();
            submitStatus(newStatus);
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
        try {
            names.take(guard.get("mapping", () -> mapper.map(report), report.event()));
        } finally {
            queuedReports.decrementAndGet();
            queuedReportBytes.addAndGet(-report.blocksLength());
            scheduleFlush();
        }
    }

    /** Takes the end of a container or a service. Any thread; never blocks. */
    public void submit(End end) {
        thread.execute(() -> exits.onEnd(end));
    }

    /** Takes the end of a container that is a success. Any thread; never blocks. */
    public void submitSuccess(End end) {
        thread.execute(() -> exits.onSuccess(end));
    }

    /** Takes a kill for a system call, from the kernel's log. Any thread; never blocks. */
    public void submit(SeccompKill kill) {
        thread.execute(() -> exits.onSeccomp(kill));
    }

    /** Returns what takes the kernel's signals, for the ends of processes. Any thread. */
    public ProcessKills processKills() {
        return processKills;
    }

    private void wentOut(OomKillEvent event) {
        sink.add(event);
        exits.onOom(event);
        fate.onSent(event);
    }

    private void sendExit(ExitEvent exit) {
        outbox.add(exit);
        // Runtimes and systemd are asked again for the ends since the last one of theirs.
        if (exit.getSubject() != ExitEvent.Subject.PROCESS && Timestamps.compare(exit.getTime(), lastExit) > 0) {
            lastExit = exit.getTime();
            scheduleCheckpoint();
        }
        scheduleFlush();
    }

    // ---- to the disk, and out

    /** Schedules one write, behind one sync, for all events that have come by then. */
    private void scheduleFlush() {
        heldBytes.set(outbox.pendingBytes());
        if (!flushDue) {
            flushDue = true;
            thread.execute(this::flush);
        }
    }

    @SuppressWarnings("ReferenceEquality") // Each cut is an object of its own: the content is never compared.
    private void flush() {
        flushDue = false;
        outbox.flush();
        heldBytes.set(outbox.pendingBytes());
        if (!outbox.isDurable()) {
            flushDue = true;
            thread.schedule(this::flush, RETRY_NANOS, TimeUnit.NANOSECONDS);
        } else if (durableCut != cut) {
            scheduleCheckpoint();
        }
        uplink.pump();
    }

    // ---- Uplink.Source

    @Override
    public void onConnected() {
        outbox.resendAll();
    }

    @Override
    public @Nullable PublishEventsRequest pollUnsent() {
        for (KeptEvent next = outbox.pollUnsent(); next != null; next = outbox.pollUnsent()) {
            try {
                PublishEventsRequest message = next.message();
                if (message.hasEvent()) {
                    guard.run("kill-metrics", () -> metrics.sent(message.getEvent(), clock.instant()));
                }
                return message;
            } catch (InvalidProtocolBufferException e) {
                outbox.setAside(next);
                setAside(next, "it cannot be read: " + e.getMessage());
            }
        }
        return null;
    }

    private void setAside(KeptEvent event, String reason) {
        scheduleCheckpoint();
        guard.run("refused-events", () -> refusedEvents.add(event, reason));
    }

    @Override
    public int inFlight() {
        return outbox.inFlight();
    }

    @Override
    public @Nullable AgentStatus status() {
        // While the outbox looks for the event that the aggregator rejects, a rejection must not be caused by a status.
        if (status == null || outbox.isCareful()) {
            return null;
        }
        return withOutbox(status);
    }

    private AgentStatus withOutbox(AgentStatus ofLoop) {
        AgentStatus.Builder now =
                ofLoop.toBuilder().setUnacknowledgedEvents(outbox.size()).addSources(outbox.status());
        addLosses(now.getLossesBuilder());
        return now.build();
    }

    private void addLosses(Losses.Builder losses) {
        outbox.addLosses(losses);
        guard.counts()
                .forEach((place, count) ->
                        losses.putInternalErrors(place, errorsBefore.getOrDefault(place, 0L) + count));
        losses.setLogEventsDropped(droppedBefore + guard.get("event-sink", sink::dropped, 0L));
    }

    /** Completes a status with the state of this thread. Any thread; never blocks. */
    public CompletableFuture<AgentState> state(AgentStatus ofLoop) {
        return CompletableFuture.supplyAsync(
                () -> new AgentState(
                        withOutbox(ofLoop), spool.bytes(), uplink.awaySince().orElse(null)),
                thread);
    }

    /** Returns the thread's executor, for a heartbeat. */
    public Executor thread() {
        return thread;
    }

    @Override
    public void onRefused(Status reason) {
        outbox.refused(reason.getCode() != Status.Code.RESOURCE_EXHAUSTED)
                .ifPresent(event -> setAside(
                        event, "the aggregator refuses it: " + reason.getCode() + " " + reason.getDescription()));
    }

    @Override
    public void onAcknowledged(List<EventAck> acks) {
        outbox.acknowledge(acks);
        heldBytes.set(outbox.pendingBytes());
        if (outbox.size() == 0) {
            uplink.sendStatus();
        }
        scheduleCheckpoint();
    }

    // ---- checkpoint

    private void scheduleCheckpoint() {
        if (!checkpointDue && !cut.getBootId().isEmpty()) {
            checkpointDue = true;
            long pause = checkpointFails ? RETRY_NANOS : MIN_CHECKPOINT_INTERVAL_NANOS;
            thread.schedule(this::writeCheckpoint, pause, TimeUnit.NANOSECONDS);
        }
    }

    private void writeCheckpoint() {
        checkpointDue = false;
        if (outbox.isDurable()) {
            durableCut = cut;
        }
        if (durableCut.getBootId().isEmpty()) {
            return;
        }
        Checkpoint.Builder checkpoint =
                durableCut.toBuilder().addAllSpool(outbox.toRemember()).setLastExit(lastExit);
        addLosses(checkpoint.getLossesBuilder());
        checkpointFails = !guard.get("checkpoint", () -> isWritten(checkpoint.build()), false);
        if (checkpointFails) {
            checkpointFailures.incrementAndGet();
            scheduleCheckpoint();
        }
        // Also after a failed write: the disk may be full.
        outbox.deleteDone();
    }

    private boolean isWritten(Checkpoint checkpoint) {
        try {
            checkpointFile.write(checkpoint);
            return true;
        } catch (IOException e) {
            if (!checkpointFails) {
                LOG.error(
                        "the checkpoint cannot be written: {}; after a restart, events may be sent again",
                        e.toString());
            }
            return false;
        }
    }

    /** Writes the last checkpoint and ends the thread. Unacknowledged events are sent after the next start. */
    @Override
    public void close() {
        thread.execute(uplink::close);
        try {
            uplink.awaitClosed(CLOSE_TIMEOUT_SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        thread.execute(outbox::flush);
        thread.execute(this::writeCheckpoint);
        thread.execute(spool::close);
        thread.shutdown();
        try {
            if (!thread.awaitTermination(CLOSE_TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
                LOG.warn("the agent's worker did not end within {} s", CLOSE_TIMEOUT_SECONDS);
                thread.shutdownNow();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
