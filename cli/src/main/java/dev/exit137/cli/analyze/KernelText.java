package dev.exit137.cli.analyze;

import static dev.exit137.oomreport.parse.Bytes.ascii;
import static dev.exit137.oomreport.parse.Bytes.at;
import static dev.exit137.oomreport.parse.Bytes.isDigit;

import dev.exit137.oomreport.parse.Bytes;
import java.nio.charset.StandardCharsets;

/**
 * Finds the possible start of the kernel's own text in a line. It is after the parts that {@link Prefix} knows, from
 * the first part that only the kernel's lines have. The text to the left of it may be anything (a host in the order of
 * any syslog, another program's output on a serial console), except the tag of a program: such a line is from that
 * program, and may have any content. One instance reads line after line. Belongs to one thread.
 */
final class KernelText {
    /** A record of the kernel is shorter (1 KiB), and so is a report's Mem-Info in one record. */
    private static final int MAX_LINE_BYTES = 16 << 10;

    private static final int MAX_PREFIX_BYTES = 1024;
    private static final int MAX_PLACES = 8;
    private static final byte ESCAPE = 0x1b;
    private static final byte[] TAG_END = ascii("]: ");
    private static final byte[] KERNEL = ascii("kernel");
    private static final byte[] COLON = ascii(": ");
    private static final byte[] EVENT_REASON = ascii("OOMKilling");
    private static final byte[] MEMCG_OUT_OF_MEMORY = ascii("Memory cgroup out of memory");
    private static final byte[] OUT_OF_MEMORY = ascii("Out of memory");
    private static final byte[] KILLED = ascii("Killed process ");

    private final Prefix prefix = new Prefix();
    private final byte[] plain = new byte[MAX_LINE_BYTES];
    private int places;
    private long caller;
    private int hostFrom;
    private int hostTo;
    /** Position of the marker in the previous line: most lines of a log have it at the same place. */
    private int usualMarker;
    /** The line, without colours. */
    byte[] line = {};
    /** The start of the line. */
    int start;
    /** The start of the kernel's text. */
    int from;
    /** The end of the kernel's text, without trailing blanks. */
    int end;
    /** Whether a part was there that only the kernel's lines have. */
    boolean certain;
    /** printk's time, microseconds since boot; -1 for none. */
    long kernelMicros;

    /** Looks for the first place in line[from, to); false when the line is certainly not the kernel's. */
    boolean find(byte[] buffer, int lineFrom, int lineTo) {
        int first = lineFrom;
        while (first < lineTo && buffer[first] == 0) {
            first++;
        }
        int last = Math.min(lineTo, first + MAX_LINE_BYTES);
        while (last > first && isBlank(buffer[last - 1])) {
            last--;
        }
        setLine(buffer, first, last);
        return findFirst();
    }

    /** Goes back to the first place. */
    boolean findFirst() {
        places = 1;
        prefix.read(line, start, end);
        certain = prefix.certain;
        if (!accept()) {
            return false;
        }
        return certain || findMarker(from) || !prefix.foreign;
    }

    /**
     * Looks for the next place: two lines may have been printed into one. False when there is none.
     */
    boolean findNext() {
        return places < MAX_PLACES && (findMarker(from) || findEventText());
    }

    private static boolean isBlank(byte b) {
        return b == ' ' || b == '\r' || b == '\t' || b == 0;
    }

    /** The line without its colours, where it has any. */
    private void setLine(byte[] buffer, int first, int last) {
        line = buffer;
        start = first;
        end = last;
        for (int i = first; i < last; i++) {
            if (buffer[i] == ESCAPE) {
                line = plain;
                start = 0;
                end = copyWithoutEscapes(buffer, first, last);
                return;
            }
        }
    }

    /** {@code ESC [ 31 m}: digits and semicolons, then a letter. */
    private int copyWithoutEscapes(byte[] buffer, int first, int last) {
        int length = 0;
        for (int i = first; i < last; i++) {
            if (buffer[i] != ESCAPE) {
                plain[length++] = buffer[i];
            } else if (at(buffer, i + 1, last, '[')) {
                i += 2;
                while (i < last && (isDigit(buffer[i]) || buffer[i] == ';')) {
                    i++;
                }
            }
        }
        return length;
    }

    /** Looks right of {@code left} for a part that only the kernel's lines have. */
    private boolean findMarker(int left) {
        if (places == 1 && start + usualMarker > left && start + usualMarker < end && isMarker(start + usualMarker)) {
            return acceptMarker();
        }
        int limit = Math.min(end, start + MAX_PREFIX_BYTES);
        for (int i = left; i < limit; i++) {
            if (isMarker(i)) {
                usualMarker = i - start;
                return acceptMarker();
            }
            if (prefix.foreign) {
                return false;
            }
        }
        return false;
    }

    private boolean isMarker(int i) {
        byte before = i == start ? (byte) ' ' : line[i - 1];
        boolean boundary = before == ' ' || before == '\t' || before == '|';
        boolean quoted = before == '"' || before == '\'' || before == '`';
        if (quoted || (line[i] != '[' && line[i] != '<' && !(boundary && Bytes.isLetter(line[i])))) {
            return false;
        }
        prefix.read(line, i, end);
        return prefix.certain && !prefix.foreign && (!prefix.named || isHostAndTime(i)) && !hasTag(start, i);
    }

    private boolean acceptMarker() {
        places++;
        certain = true;
        return accept();
    }

    /** {@code May 15 23:09:27 host }: before {@code kernel: } there is no {@code word: }, the tag of a program. */
    private boolean isHostAndTime(int to) {
        return Bytes.find(line, start, to, COLON) < 0 && Bytes.find(line, start, to, new byte[] {'"'}) < 0;
    }

    /** A listed Kubernetes event of node-problem-detector: columns, then the kernel's text. */
    private boolean findEventText() {
        int limit = Math.min(end, start + MAX_PREFIX_BYTES);
        int reason = certain || places == MAX_PLACES ? -1 : Bytes.find(line, start, limit, EVENT_REASON);
        if (reason < 0) {
            return false;
        }
        places = MAX_PLACES;
        for (int i = reason; i < end - 2; i++) {
            boolean column = line[i] == '\t' || (line[i] == ' ' && line[i + 1] == ' ');
            int text = Bytes.skipSpaces(line, i + 1, end);
            if (column
                    && (at(line, text, end, MEMCG_OUT_OF_MEMORY)
                            || at(line, text, end, OUT_OF_MEMORY)
                            || at(line, text, end, KILLED))) {
                from = text;
                return true;
            }
        }
        return false;
    }

    private boolean accept() {
        from = prefix.position;
        kernelMicros = prefix.kernelMicros;
        caller = prefix.caller;
        // A host's name follows a time: elsewhere it is a word of another program.
        hostFrom = prefix.hostFrom;
        hostTo = PrintedTime.findClock(line, start, hostFrom) < 0 ? hostFrom : prefix.hostTo;
        return !prefix.foreign && !hasTag(from, Math.min(end, from + 48));
    }

    /** Whether {@code name[123]: } stands in [left, right), where the name is not the kernel's own. */
    private boolean hasTag(int left, int right) {
        for (int at = Bytes.find(line, left, right, TAG_END); at >= 0; at = Bytes.find(line, at + 1, right, TAG_END)) {
            int digits = at;
            while (digits > left && isDigit(line[digits - 1])) {
                digits--;
            }
            int open = digits - 1;
            if (digits < at
                    && open > left
                    && line[open] == '['
                    && line[open - 1] != ' '
                    && !at(line, open - KERNEL.length, open, KERNEL)) {
                return true;
            }
        }
        return false;
    }

    /** The number of the line's source: lines with another number are from another task or another host. */
    long source() {
        long source = caller;
        for (int i = hostFrom; i < hostTo; i++) {
            source = 31 * source + line[i];
        }
        return source;
    }

    /** The host's name as syslog has it; empty if there is none. */
    String host() {
        return new String(line, hostFrom, hostTo - hostFrom, StandardCharsets.UTF_8);
    }
}
