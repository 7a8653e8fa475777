package dev.exit137.cli.options;

import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.TypeConversionException;

/** Parses sizes such as {@code 512MiB} into bytes. */
final class SizeOption {
    private static final Pattern SIZE = Pattern.compile("(\\d{1,9})(B|KiB|MiB|GiB|TiB)");
    private static final Map<String, Integer> SHIFTS = Map.of("B", 0, "KiB", 10, "MiB", 20, "GiB", 30, "TiB", 40);

    private SizeOption() {}

    /**
     * The number of bytes of {@code 512MiB} or {@code 1GiB}.
     *
     * @throws TypeConversionException the text is not a size; the message states the format
     */
    static long bytes(String text) {
        Matcher matcher = SIZE.matcher(text);
        if (!matcher.matches()) {
            throw new TypeConversionException(
                    "'" + text + "' is not a size: give a number and a unit (B, KiB, MiB, GiB, TiB), such as 512MiB");
        }
        int shift = Objects.requireNonNull(SHIFTS.get(matcher.group(2)));
        long number = Long.parseLong(matcher.group(1));
        return number > Long.MAX_VALUE >> shift ? Long.MAX_VALUE : number << shift;
    }
}
