package dev.exit137.oomreport.dump;

import dev.exit137.proto.v1.Incident;
import java.util.Objects;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * The long blocks of one report, as printed. Many kills can be of one report, so they are read once; the text is then
 * let go. Handed from the agent-epoll to the agent-worker thread.
 */
public final class RawReport {
  private final int length;
  private final long omittedBytes;
  private byte @Nullable [] text;
  private @Nullable Incident blocks;

  /**
   * A report that was just printed.
   *
   * @param omittedBytes what is missing at its end
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

  /** What the blocks say, and nothing else of the incident. Agent-worker thread. */
  public Incident blocks(OptionalLong pageSizeBytes) {
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
