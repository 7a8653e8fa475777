package dev.exit137.agent.container;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import org.jspecify.annotations.Nullable;

/** What a runtime can mean: a runtime that answers nonsense is not believed. Any thread. */
final class Plausible {
    /** An exit code has eight bits (wait(2)); a signal is 128 and its number. */
    private static final int MAX_CODE = 255;
    /** The clock may be set back between an event and its reading. */
    private static final Duration AHEAD = Duration.ofMinutes(1);

    private final InstantSource clock;

    /** @param clock the node's wall clock */
    Plausible(InstantSource clock) {
        this.clock = clock;
    }

    /** Returns whether something can have happened then: the zero time of Go and a time of the future cannot be. */
    boolean isTime(@Nullable Instant time) {
        return time != null
                && time.isAfter(Instant.EPOCH)
                && !time.isAfter(clock.instant().plus(AHEAD));
    }

    static boolean isCode(long code) {
        return code >= 0 && code <= MAX_CODE;
    }
}
