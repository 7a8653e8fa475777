package dev.exit137.cli.analyze;

import static dev.exit137.oomreport.parse.Bytes.at;
import static dev.exit137.oomreport.parse.Bytes.isDigit;
import static dev.exit137.oomreport.parse.Bytes.number;
import static dev.exit137.oomreport.parse.Bytes.skipDigits;

import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import org.jspecify.annotations.Nullable;

/**
 * The time in a line before the kernel's text. It is an instant only with a whole date and an offset, because the zone
 * of a local time is not known. Belongs to one thread.
 */
final class PrintedTime {
    private static final int MICROS_PER_SECOND = 1_000_000;
    private static final int MAX_WORDS_BEFORE_CLOCK = 3;

    private byte[] line = {};
    private int from;
    private int to;
    private int clock;

    /** Finds the time in line[from, to). */
    void read(byte[] line, int from, int to) {
        this.line = line;
        this.from = from;
        this.to = to;
        clock = findClock(line, from, to);
    }

    /** Index of a time such as 12:00 in [from, to), or -1; not of the 00:00 in a bus address, 0000:00:1f. */
    static int findClock(byte[] line, int from, int to) {
        for (int i = from; i + 5 <= to; i++) {
            if (line[i + 2] == ':'
                    && isDigit(line[i])
                    && isDigit(line[i + 1])
                    && isDigit(line[i + 3])
                    && isDigit(line[i + 4])
                    && (i == from || (!isDigit(line[i - 1]) && line[i - 1] != ':'))
                    && (i + 5 == to || !isDigit(line[i + 5]))) {
                return i;
            }
        }
        return -1;
    }

    /** Time of day, microseconds; -1 if there is none with seconds. */
    long ofDayMicros() {
        if (clock < 0 || !at(line, clock + 5, to, ':') || skipDigits(line, clock + 6, to) != clock + 8) {
            return -1;
        }
        long minutes = 60 * number(line, clock, clock + 2) + number(line, clock + 3, clock + 5);
        return (60 * minutes + number(line, clock + 6, clock + 8)) * MICROS_PER_SECOND;
    }

    /** The time as printed, with its date; empty for none. */
    String text() {
        if (clock < 0) {
            return "";
        }
        int start = clock;
        int words = 0;
        for (int i = clock - 1; i >= from && line[i] != '[' && line[i] != '|' && line[i] != '>'; i--) {
            boolean betweenWords = line[i] == ' ' && line[i + 1] != ' ';
            if (betweenWords && start < clock && ++words == MAX_WORDS_BEFORE_CLOCK) {
                break;
            }
            start = line[i] == ' ' ? start : i;
        }
        int end = clock;
        while (end < to && line[end] != ' ' && line[end] != ']' && line[end] != '\t') {
            end++;
        }
        int year = end + 1;
        boolean yearBehind = at(line, end, to, ' ') && skipDigits(line, year, to) == year + 4;
        return new String(line, start, (yearBehind ? year + 4 : end) - start, StandardCharsets.UTF_8);
    }

    /** {@code 2023-12-04T10:49:30.106Z}, {@code 2024-05-03T12:00:00,123456+02:00}; null if a part is missing. */
    @Nullable
    Instant instant() {
        int year = clock - 11;
        int second = clock + 6;
        boolean whole = clock >= 0
                && year >= from
                && (line[clock - 1] == 'T' || line[clock - 1] == ' ')
                && at(line, year + 4, to, '-')
                && at(line, year + 7, to, '-')
                && at(line, clock + 5, to, ':')
                && skipDigits(line, year, to) == year + 4
                && skipDigits(line, year + 5, to) == year + 7
                && skipDigits(line, year + 8, to) == year + 10
                && skipDigits(line, second, to) == second + 2;
        if (!whole) {
            return null;
        }
        int fraction = second + 2;
        boolean hasFraction = at(line, fraction, to, '.') || at(line, fraction, to, ',');
        int zone = hasFraction ? skipDigits(line, fraction + 1, to) : fraction;
        int nanos = 0;
        for (int i = 1; i <= 9; i++) {
            nanos = 10 * nanos + (fraction + i < zone ? line[fraction + i] - '0' : 0);
        }
        try {
            ZoneOffset offset = offset(zone);
            return offset == null
                    ? null
                    : LocalDateTime.of(
                                    (int) number(line, year, year + 4),
                                    (int) number(line, year + 5, year + 7),
                                    (int) number(line, year + 8, year + 10),
                                    (int) number(line, clock, clock + 2),
                                    (int) number(line, clock + 3, clock + 5),
                                    (int) number(line, second, second + 2),
                                    nanos)
                            .toInstant(offset);
        } catch (DateTimeException e) {
            return null;
        }
    }

    /** {@code Z}, {@code +02:00}, {@code +0200}; null for none. */
    private @Nullable ZoneOffset offset(int at) {
        if (at(line, at, to, 'Z')) {
            return ZoneOffset.UTC;
        }
        boolean signed = at(line, at, to, '+') || at(line, at, to, '-');
        int minutes = at(line, at + 3, to, ':') ? at + 4 : at + 3;
        if (!signed
                || skipDigits(line, at + 1, Math.min(to, at + 3)) != at + 3
                || skipDigits(line, minutes, to) != minutes + 2) {
            return null;
        }
        int sign = line[at] == '-' ? -1 : 1;
        return ZoneOffset.ofHoursMinutes(
                sign * (int) number(line, at + 1, at + 3), sign * (int) number(line, minutes, minutes + 2));
    }
}
