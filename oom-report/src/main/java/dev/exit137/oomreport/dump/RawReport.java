package dev.exit137.oomreport.dump;

import dev.exit137.proto.v1.Incident;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The long blocks of one report, as printed. Many kills can belong to one report, so its blocks are read once; then the
 * text is released. The agent-epoll thread hands it to the agent-worker thread.
 */
public final class RawReport {
    private final int length;
    private final long omittedBytes;
    private byte @Nullable [] text;
    private @Nullable Incident blocks;

    /**
     * Creates a report that was just printed.
     *
     * @param omittedBytes number of bytes missing at its end
     */
    public RawReport(byte[] text, long omittedBytes) {
        this.text = text;
        this.length = text.length;
        this.omittedBytes = omittedBytes;
    }

    /** Bytes of the text. Any thread. */
    public int length() {
        return length;
    }

    /** The data of the blocks, and nothing else of the incident. Agent-worker thread. */
    public Incident blocks(long pageSizeBytes) {
        if (blocks == null) {
            DumpParser parser = new DumpParser(pageSizeBytes);
            parser.onText(Objects.requireNonNull(text), length);
            Incident.Builder read = Incident.newBuilder();
            parser.addTo(read);
            blocks = read.setReportBytesOmitted(omittedBytes).build();
            text = null;
        }
        return blocks;
    }
}
