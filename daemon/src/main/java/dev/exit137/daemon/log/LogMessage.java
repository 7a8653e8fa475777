package dev.exit137.daemon.log;

import java.time.Instant;
import org.jspecify.annotations.Nullable;
import org.slf4j.event.Level;
import org.slf4j.helpers.MessageFormatter;

/**
 * What a part of the program has to say.
 *
 * @param pattern as it stands in the source, with {@code {}} for each of the arguments
 * @param thrown null where there is none
 */
record LogMessage(Instant time, Level level, String logger, String pattern, Object[] arguments, @Nullable Throwable thrown) {
  /** Messages of one kind differ in their arguments only. */
  String kind() {
    return logger + ' ' + pattern;
  }

  String line(long moreLikeThis) {
    return LogfmtLine.of(
        time, level, logger, MessageFormatter.basicArrayFormat(pattern, arguments), moreLikeThis, thrown);
  }
}
