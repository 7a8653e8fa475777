package dev.exit137.cli.analyze;

import java.io.IOException;
import java.io.InputStream;

/**
 * Cuts a log of any size into lines, in one buffer. Most lines are ordinary: it counts them and does not parse them.
 */
public final class LogReader {
    private static final int BUFFER_BYTES = 1 << 20;

    /** Receives the lines that may belong to a report. */
    interface Lines {
        /** Whether the next line is wanted, whatever its content, because a report is open. */
        boolean wantsEach();

        /** A line, without its newline; the buffer is valid during the call. {@code number} counts from 1. */
        void onLine(byte[] buffer, int from, int to, long number);
    }

    private final Lines lines;
    private final byte[] buffer;
    private long bytes;
    private long lineCount;
    private long linesCut;

    public LogReader(Lines lines) {
        this(lines, BUFFER_BYTES);
    }

    public LogReader(Lines lines, int bufferBytes) {
        this.lines = lines;
        buffer = new byte[bufferBytes];
    }

    /** Bytes read so far. */
    public long bytes() {
        return bytes;
    }

    /** Lines so far. */
    public long lineCount() {
        return lineCount;
    }

    /** Number of lines so far that were too long; only their beginning was used. */
    public long linesCut() {
        return linesCut;
    }

    /** Reads to the end. */
    public void read(InputStream in) throws IOException {
        int start = 0;
        int filled = 0;
        boolean inCutLine = false;
        for (int count = in.read(buffer); count >= 0; count = in.read(buffer, filled, buffer.length - filled)) {
            bytes += count;
            int fresh = filled;
            filled += count;
            if (inCutLine) {
                start = newline(fresh, filled) + 1;
                inCutLine = start > filled;
                start = Math.min(start, filled);
            }
            int end = afterLastNewline(fresh, filled);
            if (end > start) {
                onLines(start, end);
                start = end;
            }
            if (start == 0 && filled == buffer.length) {
                onLines(0, filled);
                linesCut++;
                inCutLine = true;
                start = filled;
            }
            System.arraycopy(buffer, start, buffer, 0, filled - start);
            filled -= start;
            start = 0;
        }
        if (filled > 0) {
            onLines(0, filled);
        }
    }

    /** Whole lines, the last one with or without its newline. */
    private void onLines(int from, int to) {
        int at = from;
        while (at < to) {
            int lineStart = at;
            if (!lines.wantsEach()) {
                int anchor = AnchorScan.find(buffer, at, to);
                if (anchor < 0) {
                    lineCount += AnchorScan.newlines(buffer, at, to) + (buffer[to - 1] == '\n' ? 0 : 1);
                    return;
                }
                lineStart = lineStart(anchor, at);
                lineCount += AnchorScan.newlines(buffer, at, lineStart);
            }
            int lineEnd = newline(lineStart, to);
            lineCount++;
            lines.onLine(buffer, lineStart, lineEnd, lineCount);
            at = lineEnd + 1;
        }
    }

    private int lineStart(int at, int from) {
        int start = at;
        while (start > from && buffer[start - 1] != '\n') {
            start--;
        }
        return start;
    }

    /** The first newline in [from, to), or {@code to}. */
    private int newline(int from, int to) {
        int i = from;
        while (i < to && buffer[i] != '\n') {
            i++;
        }
        return i;
    }

    private int afterLastNewline(int from, int to) {
        int end = to;
        while (end > from && buffer[end - 1] != '\n') {
            end--;
        }
        return end == from ? 0 : end;
    }
}
