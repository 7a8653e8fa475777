package dev.exit137.daemon.log;

import java.time.Instant;
import org.jspecify.annotations.Nullable;
import org.slf4j.event.Level;
import org.slf4j.helpers.MessageFormatter;

/**
 * A message of the program.
 *
 * @param pattern as in the source, with {@code {}} for each argument
 * @param thrown null if there is none
 */
record LogMessage(
        Instant time,
        Level level,
        String logger,
        String pattern,
        Object[] arguments,
        @Nullable Throwable thrown) {
    /** Messages of one kind differ only in their arguments. */
    String kind() {
        return logger + ' ' + pattern;
    }

    String line(long moreLikeThis) {
        return LogfmtLine.of(
                time, level, logger, MessageFormatter.basicArrayFormat(pattern, arguments), moreLikeThis, thrown);
    }
}
