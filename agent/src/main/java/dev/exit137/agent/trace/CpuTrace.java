package dev.exit137.agent.trace;

import dev.exit137.agent.linux.Descriptor;
import dev.exit137.agent.linux.FileReader;
import dev.exit137.agent.linux.NativeMemory;
import dev.exit137.agent.linux.Sys;
import dev.exit137.daemon.guard.Guard;
import io.netty.channel.IoEvent;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoEvent;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.unix.FileDescriptor;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The buffer of one processor: {@code per_cpu/cpuN/trace_pipe_raw} and {@code stats}. A read gives one page and removes
 * it from the buffer.
 *
 * <p>Owned by the agent-epoll thread; reading allocates nothing.
 */
final class CpuTrace implements EpollIoHandle {
    private static final String PLACE = "trace";
    /** As much as a whole buffer of 256 KiB has; the loop comes back for the rest. */
    private static final int PAGES_PER_WAKEUP = 64;

    // kernel/trace/trace.c, tracing_stats_read(): each is a count of records that were lost.
    private static final byte[] OVERRUN = ascii("overrun:");
    private static final byte[] COMMIT_OVERRUN = ascii("commit overrun:");
    private static final byte[] DROPPED = ascii("dropped events:");

    private final int cpu;
    private final Path pipe;
    private final NativeMemory statsName;
    private final NativeMemory pageMemory;
    private final int pageBytes;
    private final SignalReader signals;
    private final SenderReader senders;
    private final Guard guard;
    private final Runnable wakeUp = this::onWakeUp;
    private final SignalReader.Pending pending = new SignalReader.Pending();
    private Descriptor descriptor = new Descriptor(-Sys.EBADF);
    private @Nullable FileDescriptor polled;
    private @Nullable IoRegistration registration;
    private String problem = "";
    private long lost;

    /**
     * @param instance directory of the tracefs instance
     * @param pageMemory one page, shared with the other processors of this thread
     */
    CpuTrace(
            Path instance,
            int cpu,
            NativeMemory pageMemory,
            int pageBytes,
            SignalReader signals,
            SenderReader senders,
            Guard guard) {
        this.cpu = cpu;
        this.pageMemory = pageMemory;
        this.pageBytes = pageBytes;
        this.signals = signals;
        this.senders = senders;
        this.guard = guard;
        String directory = "per_cpu/cpu" + cpu;
        pipe = instance.resolve(directory).resolve("trace_pipe_raw");
        statsName = Sys.nativeString(directory + "/stats");
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    int cpu() {
        return cpu;
    }

    boolean isOpen() {
        return descriptor.isOpen();
    }

    /** Why it cannot be read or waited for; empty if it can. */
    String problem() {
        return problem;
    }

    void open() {
        int opened = Sys.open(pipe.toString(), Sys.O_RDONLY | Sys.O_NONBLOCK | Sys.O_CLOEXEC);
        descriptor = new Descriptor(opened);
        if (opened < 0) {
            problem = "opening " + pipe.getFileName() + " of processor " + cpu + " failed: " + Sys.describe(opened);
            return;
        }
        polled = new FileDescriptor(opened);
        problem = "";
    }

    /** Waits for records from now on. Without that, the buffer is read once a second. */
    void follow(Function<EpollIoHandle, IoRegistration> registrar) {
        if (!isOpen() || registration != null) {
            return;
        }
        try {
            registration = registrar.apply(this);
        } catch (RuntimeException e) {
            problem = "processor " + cpu + " is read once a second only: " + e.getMessage();
        }
    }

    /** Reads every record that is there now. */
    void drain() {
        // Twice the buffer, and no more: a storm may write faster than anybody reads.
        read(2 * PAGES_PER_WAKEUP);
    }

    private void read(int budget) {
        int pages = 0;
        while (isOpen() && pages++ < budget) {
            int count = Sys.read(descriptor.number(), pageMemory, pageBytes);
            if (count > 0) {
                pageMemory.get(0, signals.pageBytes(), 0, count);
                signals.onPage(pending, count);
            } else {
                signals.onQuiet(pending);
                if (count != 0 && count != -Sys.EAGAIN) {
                    fail("reading processor " + cpu + " failed: " + Sys.describe(count));
                }
                return;
            }
        }
    }

    private void fail(String reason) {
        close();
        problem = reason;
    }

    /**
     * Reads how many records the kernel overwrote or dropped since the last call; at the first call, since the instance
     * was made.
     *
     * @param instanceFd the directory of the instance
     */
    long newlyLost(FileReader file, int instanceFd) {
        if (file.read(instanceFd, statsName) < 0) {
            return 0;
        }
        long now = Math.max(0, file.valueOf(OVERRUN))
                + Math.max(0, file.valueOf(COMMIT_OVERRUN))
                + Math.max(0, file.valueOf(DROPPED));
        long grown = Math.max(0, now - lost);
        lost = now;
        return grown;
    }

    @Override
    public FileDescriptor fd() {
        return java.util.Objects.requireNonNull(polled);
    }

    @Override
    public void registered() {}

    @Override
    public void unregistered() {}

    @Override
    public void handle(IoRegistration registration, IoEvent event) {
        // An exception out of this method would stop the whole event loop for a while, and an error would end it.
        guard.run(PLACE, wakeUp);
        if (event instanceof EpollIoEvent epoll
                && epoll.ops().contains(EpollIoOps.EPOLLERR)
                && !epoll.ops().contains(EpollIoOps.EPOLLIN)) {
            // The kernel says so of a processor without a buffer, for as long as it is waited for.
            cancel();
            problem = "processor " + cpu + " is read once a second only: epoll reports an error";
        }
    }

    private void onWakeUp() {
        senders.onWakeUp();
        read(PAGES_PER_WAKEUP);
    }

    private void cancel() {
        IoRegistration cancelled = registration;
        registration = null;
        if (cancelled != null) {
            cancelled.cancel();
        }
    }

    @Override
    public void close() {
        cancel();
        signals.flush(pending);
        descriptor.close();
    }
}
