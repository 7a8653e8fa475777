package dev.exit137.cli.options;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.TypeConversionException;

/** Parses durations and instants from flags. */
public final class Times {
    private static final Pattern DURATION = Pattern.compile("(\\d{1,9})(ms|s|m|h|d)");
    private static final Map<String, Duration> UNITS = Map.of(
            "ms", Duration.ofMillis(1),
            "s", Duration.ofSeconds(1),
            "m", Duration.ofMinutes(1),
            "h", Duration.ofHours(1),
            "d", Duration.ofDays(1));

    private Times() {}

    /**
     * A duration such as {@code 500ms}, {@code 30s}, {@code 15m}, {@code 2h} or {@code 1d}.
     *
     * @throws TypeConversionException the text is not a duration; the message states the format
     */
    public static Duration duration(String text) {
        return parseDuration(text)
                .orElseThrow(() -> new TypeConversionException("'" + text
                        + "' is not a duration: give a number and a unit (ms, s, m, h, d), such as 500ms or 15m"));
    }

    /**
     * An ISO-8601 instant, {@code now}, or a duration back from now.
     *
     * @throws TypeConversionException the text is not a time; the message states the format
     */
    public static Instant instant(String text, InstantSource clock) {
        if (text.equals("now")) {
            return clock.instant();
        }
        return parseDuration(text).map(clock.instant()::minus).orElseGet(() -> {
            try {
                return DateTimeFormatter.ISO_OFFSET_DATE_TIME.parse(text, Instant::from);
            } catch (DateTimeParseException e) {
                throw new TypeConversionException(
                        "'" + text + "' is not a time: give an instant with its zone, such as "
                                + "2026-05-01T12:30:00Z, or a duration back from now, such as 15m, 2h or 1d");
            }
        });
    }

    private static Optional<Duration> parseDuration(String text) {
        Matcher matcher = DURATION.matcher(text);
        return matcher.matches()
                ? Optional.of(Objects.requireNonNull(UNITS.get(matcher.group(2)))
                        .multipliedBy(Long.parseLong(matcher.group(1))))
                : Optional.empty();
    }
}
