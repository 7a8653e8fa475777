package dev.exit137.cli.analyze;

import dev.exit137.agent.kmsg.OomLine;
import dev.exit137.agent.kmsg.OomLineParser;
import java.util.function.Consumer;

/**
 * Reads the kernel's lines of a log into incidents, and hands each on when nothing more will come of it. Reports of
 * several tasks, or of several hosts in one log, may interleave: each has its own {@link OpenReport}. Belongs to one
 * thread; what it keeps is bounded.
 */
final class LogCorrelator implements LogReader.Lines {
  private static final int MAX_OPEN_REPORTS = 8;

  private final Consumer<AnalyzedIncident> incidents;
  private final KernelText text = new KernelText();
  private final PrintedTime time = new PrintedTime();
  private final OomLineParser parser = new OomLineParser();
  private final OomLine line = new OomLine();
  private final OpenReport[] reports = new OpenReport[MAX_OPEN_REPORTS];
  private int reportCount;
  private long suppressed;
  private long suppressedTotal;
  private long lastHash;
  private long lastNumber;

  LogCorrelator(Consumer<AnalyzedIncident> incidents) {
    this.incidents = incidents;
  }

  /** Reports that the kernel says it left out. */
  long reportsSuppressed() {
    return suppressedTotal;
  }

  /** Nothing more will come. */
  void close() {
    for (int i = reportCount - 1; i >= 0; i--) {
      reports[i].close();
    }
  }

  @Override
  public boolean wantsEach() {
    for (int i = 0; i < reportCount; i++) {
      if (reports[i].wants(lastNumber + 1)) {
        return true;
      }
    }
    return false;
  }

  @Override
  public void onLine(byte[] buffer, int from, int to, long number) {
    boolean each = wantsEach();
    if (text.find(buffer, from, to)) {
      parse();
      switch (line.kind()) {
        case NONE -> onOtherLine(number, each);
        case CALLBACKS_SUPPRESSED -> {
          suppressed += line.suppressedCallbacks();
          suppressedTotal += line.suppressedCallbacks();
        }
        default -> onReportLine(number);
      }
    }
    lastNumber = number;
  }

  private void parse() {
    parser.parse(text.line(), text.from(), text.to(), line);
    if (line.kind() == OomLine.Kind.NONE && AnchorScan.find(text.line(), text.from(), text.to()) >= 0) {
      boolean found;
      do {
        found = text.findNext();
        parser.parse(text.line(), text.from(), text.to(), line);
      } while (found && line.kind() == OomLine.Kind.NONE);
      if (!found) {
        text.findFirst();
      }
    }
  }

  /** A line that no report is open for matters only where it begins a block; {@link AnchorScan} found it then. */
  private void onOtherLine(long number, boolean each) {
    int found = indexOfReport();
    if (found < reportCount || !each) {
      firstReport(found).onOtherLine(text, time, number);
    }
  }

  private void onReportLine(long number) {
    long hash = hash(text.line(), text.start(), text.to());
    // Two collectors that write to one file tell each line twice.
    boolean repeated = hash == lastHash && number == lastNumber + 1;
    lastHash = hash;
    if (!repeated) {
      boolean begins = line.kind() == OomLine.Kind.INVOKED;
      for (int i = 0; i < reportCount; i++) {
        reports[i].closeIfQuiet(number);
      }
      firstReport(indexOfReport()).onReportLine(line, line(number, hash, begins ? suppressed : 0), text);
      suppressed = begins ? 0 : suppressed;
    }
  }

  private LogLine line(long number, long hash, long suppressedBefore) {
    time.read(text.line(), text.start(), text.from());
    return new LogLine(
        number, hash, text.kernelMicros(), time.ofDayMicros(), time.instant(), printedTime(), text.host(),
        suppressedBefore);
  }

  private String printedTime() {
    long micros = text.kernelMicros();
    return time.text().isEmpty() && micros >= 0
        ? String.format("%d.%06d", micros / 1_000_000, micros % 1_000_000)
        : time.text();
  }

  /** FNV-1a: the same line gives the same id wherever the log is read. */
  private static long hash(byte[] line, int from, int to) {
    long hash = 0xcbf29ce484222325L;
    for (int i = from; i < to; i++) {
      hash = (hash ^ line[i]) * 0x100000001b3L;
    }
    return hash & Long.MAX_VALUE;
  }

  /** The report that the line may belong to; {@link #reportCount} for none. */
  private int indexOfReport() {
    if (!text.isCertain()) {
      // No mark of the kernel's: it is the rest of a record of several lines.
      return 0;
    }
    int i = 0;
    while (i < reportCount && reports[i].source() != text.source()) {
      i++;
    }
    return i;
  }

  /** Moves that report to the front, or puts a new one there; the longest unused one gives way. */
  private OpenReport firstReport(int index) {
    OpenReport report;
    int gap = index;
    if (index < reportCount) {
      report = reports[index];
    } else {
      report = new OpenReport(incidents, text.source());
      if (reportCount < MAX_OPEN_REPORTS) {
        reportCount++;
      } else {
        gap--;
        reports[gap].close();
      }
    }
    System.arraycopy(reports, 0, reports, 1, gap);
    reports[0] = report;
    return report;
  }
}
