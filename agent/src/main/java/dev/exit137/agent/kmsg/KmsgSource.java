package dev.exit137.agent.kmsg;

import dev.exit137.agent.linux.Descriptor;
import dev.exit137.agent.linux.NativeMemory;
import dev.exit137.agent.linux.Sys;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.oomreport.parse.KmsgRecordFlyweight;
import io.netty.channel.IoEvent;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Tails {@code /dev/kmsg}: one record per read, from the start of the kernel's ring. Only records of facility 0 come
 * from the kernel; any process that may write to the device can make up the others.
 *
 * <p>Available records are read a few at a time and then handled: a system call evicts the parser from the processor's
 * branch predictor, and that would cost more than the parsing.
 *
 * <p>The sequence numbers count the records that the ring overwrote before they were read; EPIPE and EPOLLERR mean
 * "read on". Any other failure closes the device. It can be opened again: the ring is then read from its start, and
 * records that were handled before are skipped.
 *
 * <p>Owned by the agent-epoll thread; reading allocates nothing.
 */
public final class KmsgSource implements EpollIoHandle {
    private static final String PLACE = "kmsg";
    /** Larger than any record: CONSOLE_EXT_LOG_MAX is 8192 bytes (kernel/printk/internal.h). */
    private static final int MAX_RECORD_BYTES = 16 * 1024;

    private static final int BUFFER_BYTES = 4 * MAX_RECORD_BYTES;
    /** Number of records read before they are handled; the kernel takes some 50 microseconds for them. */
    private static final int BATCH_RECORDS = 32;

    private static final int KERNEL_FACILITY = 0;
    private static final int RECORDS_PER_WAKEUP = 256;
    /** After that many wake-ups and reads in a row without a record it is no kernel log, and reading would never end. */
    private static final int MAX_FRUITLESS = 256;

    private static final long UNKNOWN = -1;

    /** Receives the records, on the agent-epoll thread. */
    public interface Sink {
        /** Whether there is room for the results of the next record; if not, reading pauses. */
        boolean hasRoom();

        /** A record of the kernel, valid during the call. */
        void onRecord(KmsgRecordFlyweight kernelRecord);

        /** Records were overwritten before they could be read: a report in progress will not be completed. */
        void onGap();

        /** Reading stopped for lack of room; cancel the registration, and renew it when there is room. */
        void onPaused();

        /** The device could not be read and is closed; cancel the registration. The reason is fit for a user. */
        void onFailed(String reason);
    }

    private final Path path;
    private final Sink sink;
    private final Guard guard;
    private final Runnable wakeUp = this::onWakeUp;
    private final NativeMemory nativeBuffer = Sys.allocate(BUFFER_BYTES);
    private final byte[] bytes = new byte[BUFFER_BYTES];
    private final KmsgRecordFlyweight kmsgRecord = new KmsgRecordFlyweight();

    /** End offsets of the records in the buffer. */
    private final int[] ends = new int[BATCH_RECORDS];

    private int batched;
    private int handled;
    /** The result of the read() that ended the batch. */
    private int lastCount;

    private Descriptor kmsg = new Descriptor(-Sys.EBADF);
    private @Nullable FileDescriptor descriptor;
    /** Sequence number of the next record unless some are overwritten; unknown until one was read. */
    private long position = UNKNOWN;

    private int fruitless;
    private boolean backlog;
    private long nextSequence;
    private boolean anyRead;
    private long overwritten;
    private long overruns;
    private long oversize;
    private long malformed;

    /**
     * Creates a source with a closed device.
     *
     * @param resumeSequence records before this one were handled by an earlier run in this boot; 0 for none
     * @param guard survives a sink that throws; that record counts as malformed
     */
    public KmsgSource(Path path, long resumeSequence, Sink sink, Guard guard) {
        this.path = path;
        this.nextSequence = resumeSequence;
        this.sink = sink;
        this.guard = guard;
    }

    /**
     * Opens the device, again if it is open. The next record to be read is the oldest of the ring.
     *
     * @throws IOException the file cannot be read; the message names it, the reason and the remedy
     */
    public void open() throws IOException {
        close();
        if (Files.isRegularFile(path) || Files.isDirectory(path)) {
            throw new IOException(
                    "--kmsg-path " + path + " is not a device; give the kernel's log device, normally /dev/kmsg");
        }
        int opened = Sys.open(path.toString(), Sys.O_RDONLY | Sys.O_NONBLOCK | Sys.O_CLOEXEC);
        if (opened < 0) {
            throw new IOException("cannot read --kmsg-path " + path + ": " + Sys.describe(opened)
                    + "; the agent needs the kernel's log device, and CAP_SYSLOG where kernel.dmesg_restrict is set");
        }
        kmsg = new Descriptor(opened);
        descriptor = new FileDescriptor(opened);
        batched = 0;
        handled = 0;
        position = UNKNOWN;
        fruitless = 0;
        backlog = true;
    }

    /** Whether the device is open. */
    public boolean isOpen() {
        return kmsg.isOpen();
    }

    /** Whether records already read wait for room. */
    public boolean isPaused() {
        return isOpen() && handled < batched;
    }

    /** Whether the records handled now were in the ring when the device was opened, and so may be old. */
    public boolean isBacklog() {
        return backlog;
    }

    /** Sequence number of the next record to be read. */
    public long nextSequence() {
        return nextSequence;
    }

    /** Records that were overwritten before they were read. */
    public long overwritten() {
        return overwritten;
    }

    /** How often the kernel reported overwritten records (EPIPE). */
    public long overruns() {
        return overruns;
    }

    /** Records that did not fit into the buffer. */
    public long oversize() {
        return oversize;
    }

    /** Records that could not be read, or not be handled. */
    public long malformed() {
        return malformed;
    }

    /** Reads to the end of the ring; only the sink's room limits it. */
    public void drain() {
        read(Integer.MAX_VALUE);
    }

    private void read(int budget) {
        int records = 0;
        boolean more = isOpen();
        while (more) {
            boolean leftByPause = handled < batched;
            if (!leftByPause) {
                readBatch();
                records += batched + 1;
            }
            if (!handleBatch()) {
                sink.onPaused();
                return;
            }
            // The end that was reached before a pause may no longer be the end.
            more = (mayReadOn() || (leftByPause && isOpen())) && records < budget;
        }
    }

    private void readBatch() {
        int end = 0;
        batched = 0;
        handled = 0;
        do {
            lastCount = Sys.read(kmsg.number(), nativeBuffer, end, MAX_RECORD_BYTES);
            if (lastCount > 0) {
                end += lastCount;
                ends[batched++] = end;
            }
        } while (lastCount > 0 && batched < BATCH_RECORDS && end <= BUFFER_BYTES - MAX_RECORD_BYTES);
        nativeBuffer.get(0, bytes, 0, end);
    }

    /** Whether there was room for the whole batch; the rest is handled before anything else is read. */
    private boolean handleBatch() {
        while (handled < batched) {
            if (!sink.hasRoom()) {
                return false;
            }
            int start = handled == 0 ? 0 : ends[handled - 1];
            int end = ends[handled++];
            onRead(kmsgRecord.wrap(bytes, start, end - start));
        }
        return true;
    }

    private boolean mayReadOn() {
        if (lastCount == -Sys.EAGAIN) {
            backlog = false;
            return false;
        }
        if (lastCount == -Sys.EPIPE) {
            overruns++;
            fruitless++;
            position = UNKNOWN;
        } else if (lastCount == -Sys.EINVAL) {
            oversize += passUnread();
        } else if (lastCount <= 0) {
            fail(lastCount == 0 ? "it has ended" : Sys.describe(lastCount));
            return false;
        }
        return !failedAsFruitless();
    }

    private boolean failedAsFruitless() {
        boolean failed = isOpen() && fruitless > MAX_FRUITLESS;
        if (failed) {
            fail("it gives no records of a kernel's log");
        }
        return failed;
    }

    private void fail(String reason) {
        close();
        sink.onFailed("reading --kmsg-path " + path + " failed: " + reason);
    }

    /**
     * Skips a record without a readable number: it follows the last record. It may have been counted when the device was
     * open before.
     *
     * @return how many records to add to the count, 0 or 1
     */
    private int passUnread() {
        fruitless++;
        if (position == UNKNOWN) {
            return 1;
        }
        position++;
        if (position <= nextSequence) {
            return 0;
        }
        nextSequence = position;
        return 1;
    }

    private void onRead(KmsgRecordFlyweight kmsgRecord) {
        if (!kmsgRecord.isValid()) {
            malformed += passUnread();
            return;
        }
        fruitless = 0;
        long sequence = kmsgRecord.sequence();
        position = sequence + 1;
        if (sequence < nextSequence) {
            return;
        }
        // Records overwritten before this agent's first start in this boot are not its loss.
        boolean gap = sequence > nextSequence && (anyRead || nextSequence > 0);
        if (gap) {
            overwritten += sequence - nextSequence;
        }
        anyRead = true;
        nextSequence = position;
        try {
            if (gap) {
                sink.onGap();
            }
            if (kmsgRecord.facility() == KERNEL_FACILITY) {
                sink.onRecord(kmsgRecord);
            }
        } catch (Throwable e) {
            // The record stays in the ring: it must not stop this agent, nor the next one that reads it.
            malformed++;
            guard.caught(PLACE, e);
        }
    }

    @Override
    public FileDescriptor fd() {
        return Objects.requireNonNull(descriptor);
    }

    @Override
    public void registered() {}

    @Override
    public void unregistered() {}

    @Override
    public void handle(IoRegistration registration, IoEvent event) {
        // An exception out of this method would stop the whole event loop for a while, and an error would end it.
        guard.run(PLACE, wakeUp);
    }

    private void onWakeUp() {
        fruitless++;
        if (!failedAsFruitless()) {
            read(RECORDS_PER_WAKEUP);
        }
    }

    @Override
    public void close() {
        kmsg.close();
    }
}
