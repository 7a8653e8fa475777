package dev.exit137.agent.trace;

import dev.exit137.exitreport.facts.SentSignal;
import dev.exit137.oomreport.parse.ByteText;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Makes signals of the records in a page. A SIGKILL's record is followed by one with the kernel's stack, on the same
 * processor, and maybe in the next page: until then the signal waits, with its sender already read.
 *
 * <p>An interrupt may come between the two, and send a signal itself. The stack then belongs to the one in the same
 * context; where that is not clear, the signal has no path.
 *
 * <p>Owned by the agent-epoll thread. A record that makes no signal allocates nothing.
 */
final class SignalReader {
    // include/linux/trace_events.h: TRACE_FLAG_HARDIRQ, TRACE_FLAG_SOFTIRQ
    private static final int IN_INTERRUPT = 0x08 | 0x10;
    // include/trace/events/signal.h: TRACE_SIGNAL_DELIVERED, TRACE_SIGNAL_LOSE_INFO
    private static final int RESULT_DELIVERED = 0;
    private static final int RESULT_LOSE_INFO = 4;
    private static final int SIGKILL = 9;
    private static final int SIGTERM = 15;
    /** The kernel writes the stack some microseconds after the signal; where a machine is virtual, 11 ms were seen. */
    private static final long STACK_NANOS = 250_000_000;
    /** Where this many SIGKILLs had no stack, and none had one, the kernel writes none. */
    private static final int SURE_OF_NO_STACKS = 8;

    private static final int MAX_CALLERS = 64;
    private static final int MAX_COMM_BYTES = 64;

    /** The signal of a processor that waits for its stack. */
    static final class Pending {
        private @Nullable SentSignal signal;
        private long timestampNanos;
        private int context;
        private int pid;
    }

    private final TraceLayout layout;
    private final SenderReader senders;
    private final KernelSymbols symbols;
    private final TraceClock clock;
    private final TraceSource.Sink sink;
    private final TracePageFlyweight page;
    private final ByteText comm = new ByteText(MAX_COMM_BYTES);
    /** Records from before this moment were kept for this agent. */
    private final long openedNanos;

    private long records;
    private long malformed;
    private long kills;
    private long stacks;

    /** @param openedNanos on the clock of the trace */
    SignalReader(
            TraceLayout layout,
            SenderReader senders,
            KernelSymbols symbols,
            TraceClock clock,
            TraceSource.Sink sink,
            long openedNanos) {
        this.layout = layout;
        this.senders = senders;
        this.symbols = symbols;
        this.clock = clock;
        this.sink = sink;
        this.openedNanos = openedNanos;
        page = new TracePageFlyweight(layout);
    }

    /** To be filled before {@link #onPage}. */
    byte[] pageBytes() {
        return page.bytes();
    }

    /** Records that were read, of every kind. */
    long records() {
        return records;
    }

    /** Records, or rests of pages, that could not be read. */
    long malformed() {
        return malformed;
    }

    /** Whether SIGKILLs come without the kernel's path. */
    boolean lacksStacks() {
        return stacks == 0 && kills >= SURE_OF_NO_STACKS;
    }

    /** Reads the page that {@link #pageBytes} holds. */
    void onPage(Pending pending, int length) {
        page.wrap(length);
        if (page.hasGapBefore()) {
            // The next stack may be that of a signal that is lost.
            flush(pending);
        }
        while (page.next()) {
            records++;
            onRecord(pending);
        }
        if (page.isMalformed()) {
            malformed++;
        }
    }

    private void onRecord(Pending pending) {
        int length = page.dataBytes();
        if (length < layout.pid() + Integer.BYTES) {
            malformed++;
            return;
        }
        int type = page.getUnsignedShort(layout.type());
        if (type == layout.signal().id()) {
            onSignal(pending, length);
        } else if (type == layout.stack().id()) {
            onStack(pending, length);
        }
    }

    private void onSignal(Pending pending, int length) {
        TraceLayout.Signal fields = layout.signal();
        if (length < fields.end()) {
            malformed++;
            return;
        }
        int number = page.getInt(fields.number());
        if (number != SIGKILL && number != SIGTERM) {
            return;
        }
        flush(pending);
        SentSignal signal = signal(number);
        if (number != SIGKILL || lacksStacks()) {
            sink.onSignal(signal, isRecovered(page.timestampNanos()));
            return;
        }
        kills++;
        pending.signal = signal;
        pending.timestampNanos = page.timestampNanos();
        pending.context = context();
        pending.pid = page.getInt(layout.pid());
    }

    private int context() {
        return page.getUnsignedByte(layout.flags()) & IN_INTERRUPT;
    }

    private SentSignal signal(int number) {
        TraceLayout.Signal fields = layout.signal();
        long time = page.timestampNanos();
        boolean inInterrupt = context() != 0;
        int thread = page.getInt(layout.pid());
        int victim = page.getInt(fields.victim());
        int result = page.getInt(fields.result());
        SenderReader.Sides sides = senders.read(inInterrupt ? 0 : thread, victim, number == SIGKILL, time);
        return new SentSignal(
                clock.wallTime(time),
                number,
                page.getInt(fields.code()),
                sides.victimPid(),
                comm(),
                page.getInt(fields.group()) != 0,
                result == RESULT_DELIVERED || result == RESULT_LOSE_INFO,
                inInterrupt,
                List.of(),
                sides.sender(),
                sides.victimCgroup(),
                sides.victimExe());
    }

    private String comm() {
        int start = page.indexOf(layout.signal().comm());
        int length = 0;
        while (length < layout.signal().commBytes() && page.bytes()[start + length] != 0) {
            length++;
        }
        comm.set(page.bytes(), start, length);
        return comm.toString();
    }

    private void onStack(Pending pending, int length) {
        TraceLayout.Stack fields = layout.stack();
        int count = length < fields.size() + Integer.BYTES ? -1 : page.getInt(fields.size());
        if (count < 0 || fields.caller() + (long) count * Long.BYTES > length) {
            malformed++;
            return;
        }
        stacks++;
        SentSignal signal = pending.signal;
        if (signal == null || pending.context != context() || pending.pid != page.getInt(layout.pid())) {
            return;
        }
        long[] callers = new long[Math.min(count, MAX_CALLERS)];
        for (int i = 0; i < callers.length; i++) {
            callers[i] = page.getLong(fields.caller() + i * Long.BYTES);
        }
        pending.signal = signal.onPath(symbols.path(callers));
        flush(pending);
    }

    /** The processor has no more records for now: a stack that has not come by this time does not come. */
    void onQuiet(Pending pending) {
        if (pending.signal != null && clock.nowNanos() - pending.timestampNanos > STACK_NANOS) {
            flush(pending);
        }
    }

    /** Hands over the signal that waits for its stack, if there is one. */
    void flush(Pending pending) {
        SentSignal signal = pending.signal;
        if (signal != null) {
            pending.signal = null;
            sink.onSignal(signal, isRecovered(pending.timestampNanos));
        }
    }

    private boolean isRecovered(long timestampNanos) {
        return timestampNanos < openedNanos;
    }
}
