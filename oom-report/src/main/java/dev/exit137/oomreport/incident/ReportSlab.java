package dev.exit137.oomreport.incident;

import dev.exit137.oomreport.dump.RawReport;
import dev.exit137.oomreport.parse.KmsgRecordFlyweight;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The records of the report that is being printed, unchanged, one per line: the thread that reads records does not
 * parse the long blocks (memory, tasks). Grows up to a bound, which a table of 5,000 tasks does not reach; bytes beyond
 * it are counted.
 *
 * <p>Owned by the agent-epoll thread; allocates only for a report that is longer than any before.
 */
public final class ReportSlab {
    private static final int FIRST_BYTES = 64 << 10;
    private static final int MAX_BYTES = 1 << 20;

    private byte[] text = new byte[FIRST_BYTES];
    private int length;
    private long omittedBytes;
    private boolean taken;
    private @Nullable RawReport report;
    private long omittedOfAllBytes;

    /** Another report begins. */
    public void clear() {
        length = 0;
        omittedBytes = 0;
        taken = false;
        report = null;
    }

    /** Takes the record's message, whole or not at all. */
    public void append(KmsgRecordFlyweight kernelRecord) {
        int messageLength = kernelRecord.messageLength();
        int needed = length + messageLength + 1;
        if (needed > MAX_BYTES) {
            omittedBytes += messageLength + 1;
            return;
        }
        if (needed > text.length) {
            text = Arrays.copyOf(text, Math.min(MAX_BYTES, 2 * text.length));
        }
        System.arraycopy(kernelRecord.buffer(), kernelRecord.messageOffset(), text, length, messageLength);
        text[needed - 1] = '\n';
        length = needed;
    }

    /** A copy of the content at the first call since the report began; null when there was no content. */
    public @Nullable RawReport take() {
        if (!taken) {
            taken = true;
            omittedOfAllBytes += omittedBytes;
            report = length == 0 ? null : new RawReport(Arrays.copyOf(text, length), omittedBytes);
        }
        return report;
    }

    /** Bytes that did not fit, of all reports that were taken. */
    public long omittedBytes() {
        return omittedOfAllBytes;
    }
}
