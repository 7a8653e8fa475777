package dev.exit137.daemon.log;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.slf4j.event.Level;

/**
 * Formats one message as one line of logfmt. Any character is allowed in the message:
 *
 * <pre>time=2026-11-21T20:09:45.123Z level=warn logger=Uplink msg="no aggregator at …" more_like_this=532</pre>
 */
public final class LogfmtLine {
    private static final int MAX_MESSAGE_CHARS = 2000;
    private static final int MAX_STACK_CHARS = 4000;
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSX", Locale.ROOT)
            .withZone(ZoneOffset.UTC);

    private LogfmtLine() {}

    /**
     * Formats the line, without a line separator.
     *
     * @param logger a class name or a word; only the last part of a class name is written
     * @param moreLikeThis how many other messages of the kind were suppressed
     * @param thrown null if there is none
     */
    public static String of(
            Instant time, Level level, String logger, String message, long moreLikeThis, @Nullable Throwable thrown) {
        StringBuilder line = new StringBuilder(200)
                .append("time=")
                .append(TIME.format(time))
                .append(" level=")
                .append(level.name().toLowerCase(Locale.ROOT))
                .append(" logger=")
                .append(logger.substring(logger.lastIndexOf('.') + 1))
                .append(" msg=");
        quote(line, message, MAX_MESSAGE_CHARS);
        if (moreLikeThis > 0) {
            line.append(" more_like_this=").append(moreLikeThis);
        }
        if (thrown != null) {
            line.append(" error=");
            quote(line, thrown.toString(), MAX_MESSAGE_CHARS);
            line.append(" stack=");
            quote(line, stack(thrown), MAX_STACK_CHARS);
        }
        return line.toString();
    }

    private static String stack(Throwable thrown) {
        StringWriter stack = new StringWriter();
        thrown.printStackTrace(new PrintWriter(stack));
        return stack.toString();
    }

    private static void quote(StringBuilder line, String value, int maxChars) {
        line.append('"');
        for (int i = 0; i < Math.min(value.length(), maxChars); i++) {
            char c = value.charAt(i);
            switch (c) {
                case '"', '\\' -> line.append('\\').append(c);
                case '\n' -> line.append("\\n");
                case '\t' -> line.append("\\t");
                default -> {
                    if (Character.isISOControl(c) || c == '\u2028' || c == '\u2029') {
                        line.append(String.format("\\u%04x", (int) c));
                    } else {
                        line.append(c);
                    }
                }
            }
        }
        line.append(value.length() > maxChars ? "…\"" : "\"");
    }
}
