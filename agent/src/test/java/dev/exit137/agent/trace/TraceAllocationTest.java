package dev.exit137.agent.trace;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A record that makes no signal costs nothing: pages are read, and nothing is allocated. */
class TraceAllocationTest {
    private static final int PAGE_BYTES = 4096;
    private static final int HEADER_BYTES = 16;
    private static final int SIGNAL_BYTES = 48;
    private static final int SIGNAL_ID = 261;
    private static final int SIGUSR1 = 10;
    private static final int PAGES = 100;
    private static final int WARM_UP_ROUNDS = 60;
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    @TempDir
    Path directory;

    /** Another signal, another event, and a stack whose signal is not known. */
    private static byte[] droppedRecords() {
        byte[] bytes = new byte[PAGE_BYTES];
        ByteBuffer page = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
        page.putLong(FakeTracefs.BEFORE_NANOS).putLong(0);
        while (page.remaining() >= 4 + SIGNAL_BYTES) {
            int kind = page.position() / (4 + SIGNAL_BYTES) % 3;
            page.putInt(SIGNAL_BYTES / 4 | 100 << 5);
            int data = page.position();
            page.putShort(data, (short) (kind == 0 ? SIGNAL_ID : kind == 1 ? SIGNAL_ID + 1 : 4));
            page.putInt(data + 8, kind == 0 ? SIGUSR1 : 2);
            page.position(data + SIGNAL_BYTES);
        }
        page.putLong(8, page.position() - HEADER_BYTES);
        return bytes;
    }

    @Test
    void readingRecordsThatMakeNoSignalAllocatesNothing() {
        FakeTracefs tracefs = new FakeTracefs(directory);
        TraceSource source = tracefs.source();
        source.open();
        byte[] page = droppedRecords();
        long allocated = -1;
        for (int round = 0; round <= WARM_UP_ROUNDS; round++) {
            for (int i = 0; i < PAGES; i++) {
                tracefs.pages(page);
            }
            long before = THREADS.getCurrentThreadAllocatedBytes();
            source.readAll();
            allocated = THREADS.getCurrentThreadAllocatedBytes() - before;
        }
        assertThat(source.recordsRead()).isEqualTo((WARM_UP_ROUNDS + 1L) * PAGES * 78);
        assertThat(source.recordsMalformed()).isZero();
        assertThat(tracefs.signals).isEmpty();
        // The set of processors makes one iterator.
        assertThat(allocated).as("bytes for %d pages", PAGES).isLessThanOrEqualTo(64);
        source.close();
    }
}
