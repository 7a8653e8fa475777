package dev.exit137.cli.analyze;

import dev.exit137.oomreport.parse.OomLine;
import dev.exit137.oomreport.parse.OomLineParser;
import java.util.function.Consumer;

/**
 * Reads the kernel's lines of a log into incidents, and delivers each incident when it is complete. Reports of several
 * tasks, or of several hosts in one log, may interleave: each has its own {@link OpenReport}. Belongs to one thread;
 * its memory is bounded.
 */
public final class LogCorrelator implements LogReader.Lines {
    private static final int MAX_OPEN_REPORTS = 8;

    private final Consumer<AnalyzedIncident> incidents;
    private final LogLine line = new LogLine();
    private final OomLineParser parser = new OomLineParser();
    private final OomLine parsed = new OomLine();
    private final OpenReport[] reports = new OpenReport[MAX_OPEN_REPORTS];
    private int reportCount;
    private long suppressed;
    private long suppressedTotal;
    private long lastHash;
    private long lastNumber;

    public LogCorrelator(Consumer<AnalyzedIncident> incidents) {
        this.incidents = incidents;
    }

    /** Number of reports that the kernel left out, as it says. */
    public long reportsSuppressed() {
        return suppressedTotal;
    }

    /** Ends the log: delivers all open incidents. */
    public void close() {
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
        if (line.read(buffer, from, to, number)) {
            parse(line.text);
            switch (parsed.kind()) {
                case NONE -> onOtherLine(each);
                case CALLBACKS_SUPPRESSED -> {
                    suppressed += parsed.suppressedCallbacks();
                    suppressedTotal += parsed.suppressedCallbacks();
                }
                default -> onReportLine();
            }
        }
        lastNumber = number;
    }

    private void parse(KernelText text) {
        parser.parse(text.line, text.from, text.end, parsed);
        if (parsed.kind() == OomLine.Kind.NONE && AnchorScan.find(text.line, text.from, text.end) >= 0) {
            boolean found;
            do {
                found = text.findNext();
                parser.parse(text.line, text.from, text.end, parsed);
            } while (found && parsed.kind() == OomLine.Kind.NONE);
            if (!found) {
                text.findFirst();
                if (text.certain) {
                    parser.parseCutTrigger(text.line, text.from, text.end, parsed);
                }
            }
        }
    }

    /** A line outside of an open report matters only if it begins a block; {@link AnchorScan} finds these lines. */
    private void onOtherLine(boolean each) {
        int found = indexOfReport();
        if (found < reportCount || !each) {
            firstReport(found).onOtherLine(line);
        }
    }

    private void onReportLine() {
        long hash = line.hash();
        // Two collectors that write to one file tell each line twice.
        boolean repeated = hash == lastHash && line.number == lastNumber + 1;
        lastHash = hash;
        if (repeated) {
            return;
        }
        for (int i = 0; i < reportCount; i++) {
            reports[i].closeIfQuiet(line.number);
        }
        boolean begins = parsed.kind() == OomLine.Kind.INVOKED;
        firstReport(indexOfReport()).onReportLine(parsed, line, hash, begins ? suppressed : 0);
        suppressed = begins ? 0 : suppressed;
    }

    /** Index of the report of the line; {@link #reportCount} for none. */
    private int indexOfReport() {
        if (!line.text.certain) {
            // No mark of the kernel's: it is the rest of a record of several lines.
            return 0;
        }
        int i = 0;
        long source = line.text.source();
        while (i < reportCount && reports[i].source != source) {
            i++;
        }
        return i;
    }

    /** Moves that report to the front, or puts a new one there in place of the longest unused one. */
    private OpenReport firstReport(int index) {
        OpenReport report;
        int gap = index;
        if (index < reportCount) {
            report = reports[index];
        } else {
            report = new OpenReport(incidents, line.text.source());
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
