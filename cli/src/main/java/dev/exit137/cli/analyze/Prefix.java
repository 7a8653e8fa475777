package dev.exit137.cli.analyze;

import static dev.exit137.oomreport.parse.Bytes.ascii;
import static dev.exit137.oomreport.parse.Bytes.at;
import static dev.exit137.oomreport.parse.Bytes.isDigit;
import static dev.exit137.oomreport.parse.Bytes.isLetter;
import static dev.exit137.oomreport.parse.Bytes.number;
import static dev.exit137.oomreport.parse.Bytes.skipDigits;
import static dev.exit137.oomreport.parse.Bytes.skipSpaces;

/**
 * Skips the parts before the kernel's text in a line: those of printk, dmesg, the journal, syslog and collectors, in
 * any order. Each part is a row of {@link #part}. Belongs to one thread.
 */
final class Prefix {
    private static final int MAX_BRACKET_BYTES = 64;
    private static final int KERNEL_FACILITY = 0;
    private static final byte[] KERNEL = ascii("kernel: ");
    private static final byte[] KERNEL_NUMBERED = ascii("kernel[");
    private static final byte[] KERNEL_5424 = ascii("kernel - - - ");
    private static final byte[] CALLER = ascii("caller=");
    private static final byte[] MESSAGE = ascii("MESSAGE=");
    private static final byte[] STDOUT = ascii("stdout ");
    private static final byte[] STDERR = ascii("stderr ");
    private static final byte[] UTF8_MARK = {(byte) 0xef, (byte) 0xbb, (byte) 0xbf};

    /** The names of the facilities in dmesg -x, talosctl and OpenWrt's logread; only the first is the kernel. */
    private static final byte[][] FACILITIES = words(
            "kern",
            "user",
            "mail",
            "daemon",
            "auth",
            "syslog",
            "lpr",
            "news",
            "uucp",
            "cron",
            "authpriv",
            "ftp",
            "local0",
            "local1",
            "local2",
            "local3",
            "local4",
            "local5",
            "local6",
            "local7");

    private static final byte[][] LEVELS =
            words("emerg", "alert", "crit", "critical", "err", "error", "warn", "warning", "notice", "info", "debug");

    private byte[] line = {};
    private int end;
    /** The start of the text after the parts. */
    int position;
    /** Whether one of the parts shows that the line is the kernel's. */
    boolean certain;
    /** Whether one of the parts shows that the line is from another program. */
    boolean foreign;
    /** {@code kernel: } was there. */
    boolean named;
    /** printk's time, microseconds since boot; -1 for none. */
    long kernelMicros;
    /** The task ({@code T123}) or processor ({@code C1}) that printed the line, as a number; 0 for none. */
    long caller;
    /** The start of the host's name before {@code kernel: }; {@link #hostTo} for none. */
    int hostFrom;
    /** The end of the host's name. */
    int hostTo;

    private static byte[][] words(String... words) {
        byte[][] bytes = new byte[words.length][];
        for (int i = 0; i < words.length; i++) {
            bytes[i] = ascii(words[i]);
        }
        return bytes;
    }

    /** Skips all parts from {@code from} on. */
    void read(byte[] line, int from, int to) {
        this.line = line;
        end = to;
        position = from;
        certain = false;
        foreign = false;
        named = false;
        kernelMicros = -1;
        caller = 0;
        hostFrom = from;
        hostTo = from;
        int before;
        do {
            before = position;
            part();
        } while (position > before);
    }

    private void part() {
        int start = position;
        knownPart();
        if (position == start) {
            host();
        }
    }

    private void knownPart() {
        byte first = position < end ? line[position] : 0;
        switch (first) {
            case ' ', '\t', '\0', '>', '|' -> position += position < end ? 1 : 0;
            case '<' -> priority();
            case '[' -> bracket();
            case 'k' -> {
                kernel();
                facility();
            }
            case 'M' -> skip(MESSAGE);
            case 's' -> {
                container();
                facility();
            }
            default -> {
                if (isDigit(first)) {
                    leadingNumber();
                } else if (isLetter(first)) {
                    facility();
                } else if (!skip(UTF8_MARK)) {
                    return;
                }
            }
        }
    }

    private boolean skip(byte[] word) {
        if (!at(line, position, end, word)) {
            return false;
        }
        position += word.length;
        return true;
    }

    /** {@code <4>} (dmesg -r); {@code <6>1 } (RFC 5424). */
    private void priority() {
        int digits = skipDigits(line, position + 1, end);
        long priority = number(line, position + 1, digits);
        if (priority >= 0 && digits - position <= 4 && at(line, digits, end, '>')) {
            foreign |= priority >>> 3 != KERNEL_FACILITY;
            position = digits + 1;
            if (at(line, position, end, '1') && at(line, position + 1, end, ' ')) {
                position += 2;
            }
        }
    }

    /** {@code kernel: }, {@code kernel[0]: }, {@code kernel - - - }. */
    private void kernel() {
        if (skip(KERNEL) || skip(KERNEL_5424)) {
            certain = true;
            named = true;
        } else if (at(line, position, end, KERNEL_NUMBERED)) {
            int close = skipDigits(line, position + KERNEL_NUMBERED.length, end);
            if (at(line, close, end, ']') && at(line, close + 1, end, ':')) {
                position = close + 2;
                certain = true;
                named = true;
            }
        }
    }

    /** {@code host } before {@code kernel: }. */
    private void host() {
        int to = position;
        while (to < end && isOfHostName(line[to])) {
            to++;
        }
        int next = to + 1;
        boolean beforeKernel = to > position
                && at(line, to, end, ' ')
                && at(line, next, end, 'k')
                && (at(line, next, end, KERNEL)
                        || at(line, next, end, KERNEL_5424)
                        || at(line, next, end, KERNEL_NUMBERED));
        if (beforeKernel && indexOf(LEVELS, position, to) < 0) {
            hostFrom = position;
            hostTo = to;
            position = to + 1;
        }
    }

    private static boolean isOfHostName(byte b) {
        return isLetter(b) || isDigit(b) || b == '.' || b == '-' || b == '_';
    }

    /** {@code stdout F }: a container's log, as the runtime keeps it (CRI). */
    private void container() {
        int start = position;
        if (skip(STDOUT) || skip(STDERR)) {
            boolean whole = at(line, position, end, 'F') || at(line, position, end, 'P');
            position = whole && at(line, position + 1, end, ' ') ? position + 2 : start;
        }
    }

    /** {@code kern  :warn  : } (dmesg -x), {@code kern:    info: } (talosctl), {@code kern.warn } (OpenWrt). */
    private void facility() {
        int word = wordEnd(position);
        int separator = skipSpaces(line, word, end);
        if (!at(line, separator, end, ':') && !at(line, separator, end, '.')) {
            return;
        }
        int facility = indexOf(FACILITIES, position, word);
        if (facility < 0) {
            return;
        }
        int level = skipSpaces(line, separator + 1, end);
        int levelEnd = wordEnd(level);
        if (indexOf(LEVELS, level, levelEnd) < 0) {
            return;
        }
        foreign |= facility != KERNEL_FACILITY;
        certain = true;
        position = skipSpaces(line, levelEnd, end);
        if (at(line, position, end, ':')) {
            position = skipSpaces(line, position + 1, end);
        }
    }

    private int wordEnd(int from) {
        int i = from;
        while (i < end && (isLetter(line[i]) || isDigit(line[i]))) {
            i++;
        }
        return i;
    }

    /** Index of the word that [from, to) is, in any case; -1 for none. */
    private int indexOf(byte[][] words, int from, int to) {
        for (int i = 0; i < words.length; i++) {
            int length = 0;
            while (length < words[i].length && from + length < to && (line[from + length] | 0x20) == words[i][length]) {
                length++;
            }
            if (length == words[i].length && from + length == to) {
                return i;
            }
        }
        return -1;
    }

    private void bracket() {
        if (!stamp(position + 1) && !date()) {
            return;
        }
        certain = true;
        if (at(line, position, end, ':')) {
            position++;
        }
    }

    /**
     * {@code [   12.345678] }, {@code [   12.345678][ T123] }, {@code [   12.345678] [ T123] }; {@code [    5.1 <
     * 0.1>] } (dmesg -d).
     */
    private boolean stamp(int from) {
        int start = skipSpaces(line, from, end);
        int point = skipDigits(line, start, end);
        if (point == start || !at(line, point, end, '.')) {
            return false;
        }
        int digits = skipDigits(line, point + 1, end);
        int close = skipSpaces(line, digits, end);
        if (at(line, close, end, '<')) {
            close = indexOfClose(close);
        }
        if (digits == point + 1 || !at(line, close, end, ']')) {
            return false;
        }
        kernelMicros = micros(start, point, digits);
        position = close + 1;
        callerBracket();
        return true;
    }

    private long micros(int start, int point, int digits) {
        long seconds = number(line, start, point);
        if (seconds < 0 || seconds > Long.MAX_VALUE / 2_000_000) {
            return -1;
        }
        long micros = 0;
        for (int i = 0; i < 6; i++) {
            int at = point + 1 + i;
            micros = 10 * micros + (at < digits ? line[at] - '0' : 0);
        }
        return 1_000_000 * seconds + micros;
    }

    /** {@code [ T123]}, {@code [   C1]}; without the letter only right behind the time, since table rows look like it. */
    private void callerBracket() {
        int open = skipSpaces(line, position, end);
        if (at(line, open, end, '(') && at(line, open + 2, end, ')')) {
            open += 3;
        } else if (at(line, open, end, 'I') || at(line, open, end, 'P')) {
            open++;
        }
        if (!at(line, open, end, '[')) {
            return;
        }
        int id = skipSpaces(line, open + 1, end);
        boolean lettered = at(line, id, end, 'T') || at(line, id, end, 'C');
        int digits = lettered ? id + 1 : id;
        int close = skipDigits(line, digits, end);
        if (close > digits && at(line, close, end, ']') && (lettered || open == position)) {
            caller = caller(id, digits, close);
            position = close + 1;
        } else if (close > digits && at(line, close, end, ':')) {
            namedCaller(id);
        }
    }

    /** {@code [4:  kworker/u16:1: 1234] }, {@code [1234:HeapTaskDaemon]}: Android's vendors name the task, too. */
    private void namedCaller(int from) {
        int to = Math.min(end, from + MAX_BRACKET_BYTES);
        int close = from;
        while (close < to && line[close] != ']') {
            close++;
        }
        if (at(line, close, to, ']')) {
            position = close + 1;
        }
    }

    private long caller(int id, int digits, int close) {
        long number = number(line, digits, close);
        return 1 + number * 4 + (line[id] == 'T' ? 1 : line[id] == 'C' ? 2 : 0);
    }

    /**
     * {@code [Fri Sep 25 15:29:47 2020] } in any language, {@code [2026-01-12T20:27:31.913975631Z]: }, {@code [May 3
     * 12:00] } and {@code [  +0.000010] } (dmesg -e), {@code [<    0.000010>] } (dmesg -d).
     */
    private boolean date() {
        int close = indexOfClose(position);
        int inside = skipSpaces(line, position + 1, end);
        if (close < 0 || (!hasClock(inside, close) && !isDelta(inside))) {
            return false;
        }
        position = close + 1;
        callerBracket();
        return true;
    }

    private int indexOfClose(int from) {
        int limit = Math.min(end, from + MAX_BRACKET_BYTES);
        for (int i = from; i < limit; i++) {
            if (line[i] == ']') {
                return i;
            }
        }
        return -1;
    }

    /** Whether a time such as 12:00 is there. */
    private boolean hasClock(int from, int to) {
        return PrintedTime.findClock(line, from, to) >= 0;
    }

    private boolean isDelta(int from) {
        boolean marked = at(line, from, end, '+') || at(line, from, end, '<');
        int start = skipSpaces(line, from + 1, end);
        int point = skipDigits(line, start, end);
        return marked && point > start && at(line, point, end, '.');
    }

    private void leadingNumber() {
        if (!record() && !isoTime()) {
            stampWithoutBracket();
        }
    }

    /** {@code 41066.536886] }: a copied log often lacks the first bracket. */
    private void stampWithoutBracket() {
        certain |= stamp(position);
    }

    /** {@code 6,339,5140900,-,caller=T1;}: a record of /dev/kmsg. */
    private boolean record() {
        int priorityEnd = skipDigits(line, position, end);
        int sequenceEnd = at(line, priorityEnd, end, ',') ? skipDigits(line, priorityEnd + 1, end) : end;
        int timeEnd = at(line, sequenceEnd, end, ',') ? skipDigits(line, sequenceEnd + 1, end) : end;
        if (!at(line, timeEnd, end, ',') || timeEnd == sequenceEnd + 1) {
            return false;
        }
        int semicolon = timeEnd;
        int callerAt = -1;
        while (semicolon < end && line[semicolon] != ';' && line[semicolon] != ' ') {
            semicolon++;
            callerAt = at(line, semicolon, end, CALLER) ? semicolon + CALLER.length : callerAt;
        }
        if (!at(line, semicolon, end, ';')) {
            return false;
        }
        long priority = number(line, position, priorityEnd);
        foreign |= priority < 0 || priority >>> 3 != KERNEL_FACILITY;
        kernelMicros = number(line, sequenceEnd + 1, timeEnd);
        if (callerAt >= 0) {
            caller = caller(callerAt, callerAt + 1, skipDigits(line, Math.min(callerAt + 1, end), end));
        }
        certain = true;
        position = semicolon + 1;
        return true;
    }

    /** {@code 2024-05-03T12:00:00,123456+02:00 }, {@code 2024-05-03 12:00:00 }. */
    private boolean isoTime() {
        int year = skipDigits(line, position, end);
        if (year != position + 4 || !at(line, year, end, '-')) {
            return false;
        }
        int i = year;
        while (i < end && line[i] != ' ' && line[i] != '\t' && i - position < MAX_BRACKET_BYTES) {
            i++;
        }
        if (i == position + 10 && i + 9 <= end && hasClock(i + 1, Math.min(end, i + 6))) {
            i++;
            while (i < end && line[i] != ' ' && line[i] != '\t') {
                i++;
            }
        }
        if (!hasClock(position, i)) {
            return false;
        }
        position = i;
        return true;
    }
}
