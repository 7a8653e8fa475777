package dev.exit137.agent.exit;

import dev.exit137.daemon.guard.Guard;
import dev.exit137.exitreport.facts.End;
import dev.exit137.exitreport.facts.SentSignal;
import dev.exit137.oomreport.event.CgroupPath;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.ProcessRef;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/**
 * Ends of processes by SIGKILL ({@code --process-exits}): of each that is not the main process of a container or a service,
 * and did not follow from the end of one. Whether it did is known a moment later, when the runtimes have reported. At most
 * {@link #BURST} at once and {@link #PER_SECOND} in the long run are reported; the others are counted.
 */
public final class ProcessKills {
    /** A runtime reports an end within 600 ms. A kill is decided on after that, and after later ends have been joined. */
    private static final Duration WAIT = Duration.ofSeconds(2);

    static final int BURST = 64;
    static final int PER_SECOND = 5;
    private static final int MAX_WAITING = 1024;
    private static final int SIGKILL = 9;
    /** 128 and the signal's number, as a shell says it. */
    private static final int CODE = 128 + SIGKILL;

    private static final String PLACE = "exits";
    private static final long NANOS_PER_EVENT = TimeUnit.SECONDS.toNanos(1) / PER_SECOND;

    private final ExitJoiner joiner;
    private final ScheduledExecutorService worker;
    private final Duration wait;
    private final LongSupplier nanoTime;
    private final Guard guard;
    private final AtomicInteger waiting = new AtomicInteger();
    private final AtomicLong dropped = new AtomicLong();
    /** When the whole burst may go out again. Agent-worker thread. */
    private long wholeAtNanos;

    /**
     * @param joiner explains each end
     * @param worker the agent-worker thread
     * @param nanoTime as System.nanoTime()
     * @param guard of this process
     */
    public ProcessKills(ExitJoiner joiner, ScheduledExecutorService worker, LongSupplier nanoTime, Guard guard) {
        this(joiner, worker, WAIT, nanoTime, guard);
    }

    ProcessKills(
            ExitJoiner joiner, ScheduledExecutorService worker, Duration wait, LongSupplier nanoTime, Guard guard) {
        this.joiner = joiner;
        this.wait = wait;
        this.worker = worker;
        this.nanoTime = nanoTime;
        this.guard = guard;
        wholeAtNanos = nanoTime.getAsLong();
    }

    /** Takes a signal of the kernel's trace. Any thread; never blocks. */
    public void onSignal(SentSignal signal) {
        if (signal.number() != SIGKILL || !signal.delivered()) {
            return;
        }
        if (waiting.get() >= MAX_WAITING) {
            dropped.incrementAndGet();
            return;
        }
        waiting.incrementAndGet();
        worker.schedule(
                () -> {
                    waiting.decrementAndGet();
                    guard.run(PLACE, () -> decide(signal));
                },
                wait.toMillis(),
                TimeUnit.MILLISECONDS);
    }

    private void decide(SentSignal kill) {
        CgroupPath path = CgroupPath.parse(kill.victimCgroup());
        Container container = path.described().orElse(Container.getDefaultInstance());
        if (joiner.isPartOfAnEnd(kill)
                || (!container.getId().isEmpty() && joiner.isPartOfAContainersEnd(kill, container.getId()))) {
            return;
        }
        if (!mayReport()) {
            dropped.incrementAndGet();
            return;
        }
        ExitEvent.Builder event = ExitEvent.newBuilder()
                .setSubject(ExitEvent.Subject.PROCESS)
                .setProcess(ProcessRef.newBuilder()
                        .setPid(kill.victimPid())
                        .setComm(kill.victimComm())
                        .setExe(kill.victimExe()))
                .setUnit(path.unit())
                .setTime(EventFactory.timestamp(kill.time()))
                .setExitCode(CODE)
                .setSignal(SIGKILL)
                .addEvidence(Evidence.TRACE);
        if (path.described().isPresent()) {
            event.setContainer(container);
        }
        joiner.onEnd(new End(event.build(), List.of(), null));
    }

    private boolean mayReport() {
        long now = nanoTime.getAsLong();
        long next = Math.max(now, wholeAtNanos) + NANOS_PER_EVENT;
        if (next - now > BURST * NANOS_PER_EVENT) {
            return false;
        }
        wholeAtNanos = next;
        return true;
    }

    /** Returns the number of kills that were not reported because too many came. Any thread. */
    public long dropped() {
        return dropped.get();
    }
}
