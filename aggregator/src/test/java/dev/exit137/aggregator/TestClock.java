package dev.exit137.aggregator;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;

/** A wall clock that moves as a test says. */
public final class TestClock implements InstantSource {
    private volatile Instant now;

    public TestClock(Instant now) {
        this.now = now;
    }

    /** Moves on. */
    public void advance(Duration time) {
        now = now.plus(time);
    }

    @Override
    public Instant instant() {
        return now;
    }
}
