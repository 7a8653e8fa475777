package dev.exit137.agent.kmsg;

import dev.exit137.agent.sys.NativeMemory;
import dev.exit137.agent.sys.Sys;
import io.netty.channel.IoEvent;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tails {@code /dev/kmsg}: one record per read, from the start of the kernel's ring. Only records of facility 0 are the
 * kernel's; whoever may write to the device can make the others up.
 *
 * <p>Records that wait are read a few at a time and then handled: after a system call the processor has forgotten the
 * parser's branches, and that would cost more than parsing does.
 *
 * <p>What the ring overwrote before it was read is counted by the sequence numbers; EPIPE and EPOLLERR mean "read on".
 * Owned by the agent-epoll thread; reading allocates nothing.
 */
public final class KmsgSource implements EpollIoHandle {
  private static final Logger LOG = LoggerFactory.getLogger(KmsgSource.class);
  /** Larger than any record: CONSOLE_EXT_LOG_MAX is 8192 bytes (kernel/printk/internal.h). */
  private static final int MAX_RECORD_BYTES = 16 * 1024;
  private static final int BUFFER_BYTES = 4 * MAX_RECORD_BYTES;
  /** That many are read before they are handled: it takes the kernel some 50 microseconds. */
  private static final int BATCH_RECORDS = 32;
  private static final int KERNEL_FACILITY = 0;
  private static final int RECORDS_PER_WAKEUP = 256;

  /** Where the records go; called on the agent-epoll thread. */
  public interface Sink {
    /** Whether there is room for what the next record may lead to; if not, reading pauses. */
    boolean hasRoom();

    /** A record of the kernel, valid during the call. */
    void onRecord(KmsgRecordFlyweight kernelRecord);

    /** Records were overwritten before they could be read: what was half told will not be told to its end. */
    void onGap();

    /** Reading stopped for want of room; the registration is to be cancelled, and renewed when there is some. */
    void onPaused();

    /** The device cannot be read any more. */
    void onFailed(String reason);
  }

  private final Sink sink;
  private final int kmsgFd;
  private final FileDescriptor descriptor;
  private final NativeMemory nativeBuffer = Sys.allocate(BUFFER_BYTES);
  private final byte[] bytes = new byte[BUFFER_BYTES];
  private final KmsgRecordFlyweight kmsgRecord = new KmsgRecordFlyweight();

  /** Where the records in the buffer end. */
  private final int[] ends = new int[BATCH_RECORDS];
  private int batched;
  private int handled;
  /** What the read() returned that ended the batch. */
  private int lastCount;
  private long nextSequence;
  private boolean anyRead;
  private boolean failed;
  private long overwritten;
  private long overruns;
  private long oversize;
  private long malformed;

  /**
   * @param resumeSequence records before this one were handled by an earlier run in this boot; 0 for none
   * @throws IOException the file cannot be read; the message names it, the reason and the remedy
   */
  public KmsgSource(Path path, long resumeSequence, Sink sink) throws IOException {
    this.sink = sink;
    this.nextSequence = resumeSequence;
    if (Files.isRegularFile(path) || Files.isDirectory(path)) {
      throw new IOException(
          "--kmsg-path " + path + " is not a device; give the kernel's log device, normally /dev/kmsg");
    }
    kmsgFd = Sys.open(path.toString(), Sys.O_RDONLY | Sys.O_NONBLOCK | Sys.O_CLOEXEC);
    if (kmsgFd < 0) {
      throw new IOException(
          "cannot read --kmsg-path " + path + ": " + Sys.describe(kmsgFd)
              + "; the agent needs the kernel's log device, and CAP_SYSLOG where kernel.dmesg_restrict is set");
    }
    descriptor = new FileDescriptor(kmsgFd);
  }

  /** Sequence number of the next record to be read. */
  public long nextSequence() {
    return nextSequence;
  }

  /** Records that were overwritten before they were read. */
  public long overwritten() {
    return overwritten;
  }

  /** How often the kernel said that it has overwritten records (EPIPE). */
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

  /** Reads to the end of the ring, without a bound but the sink's room. */
  public void drain() {
    read(Integer.MAX_VALUE);
  }

  private void read(int budget) {
    int records = 0;
    boolean more = !failed;
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
      // The end that was reached before a pause is the end no more.
      more = (mayReadOn() || leftByPause && !failed) && records < budget;
    }
  }

  private void readBatch() {
    int end = 0;
    batched = 0;
    handled = 0;
    do {
      lastCount = Sys.read(kmsgFd, nativeBuffer, end, MAX_RECORD_BYTES);
      if (lastCount > 0) {
        end += lastCount;
        ends[batched++] = end;
      }
    } while (lastCount > 0 && batched < BATCH_RECORDS && end <= BUFFER_BYTES - MAX_RECORD_BYTES);
    nativeBuffer.get(0, bytes, 0, end);
  }

  /** Whether there was room for all of it; what is left is handled before anything else is read. */
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
    if (lastCount == -Sys.EAGAIN || lastCount == 0) {
      return false;
    }
    if (lastCount == -Sys.EPIPE) {
      overruns++;
    } else if (lastCount == -Sys.EINVAL) {
      oversize++;
      nextSequence++;
    } else if (lastCount < 0) {
      failed = true;
      sink.onFailed(Sys.describe(lastCount));
      return false;
    }
    return true;
  }

  private void onRead(KmsgRecordFlyweight kmsgRecord) {
    if (!kmsgRecord.isValid()) {
      malformed++;
      nextSequence++;
      return;
    }
    long sequence = kmsgRecord.sequence();
    if (sequence < nextSequence) {
      return;
    }
    // What was overwritten before this agent's first start in this boot is not its loss.
    if (sequence > nextSequence && (anyRead || nextSequence > 0)) {
      overwritten += sequence - nextSequence;
      sink.onGap();
    }
    anyRead = true;
    nextSequence = sequence + 1;
    if (kmsgRecord.facility() == KERNEL_FACILITY) {
      try {
        sink.onRecord(kmsgRecord);
      } catch (RuntimeException e) {
        // It stays in the ring: it must not stop this agent, nor the next one that reads it.
        malformed++;
        LOG.error("kernel record {} could not be handled", sequence, e);
      }
    }
  }

  @Override
  public FileDescriptor fd() {
    return descriptor;
  }

  @Override
  public void registered() {}

  @Override
  public void unregistered() {}

  @Override
  public void handle(IoRegistration registration, IoEvent event) {
    try {
      read(RECORDS_PER_WAKEUP);
    } catch (RuntimeException e) {
      // Out of here it would put the whole event loop to sleep.
      LOG.error("kernel records could not be handled", e);
    }
  }

  @Override
  public void close() {
    Sys.close(kmsgFd);
  }
}
