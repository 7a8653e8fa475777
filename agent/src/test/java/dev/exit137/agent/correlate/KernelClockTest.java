package dev.exit137.agent.correlate;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class KernelClockTest {
    private static final Instant WALL = Instant.parse("2026-01-01T00:00:00Z");
    private final KernelClock clock = new KernelClock(() -> 0, () -> WALL);

    @Test
    void printksClockThatRunsSlowFor30DaysDoesNotPutAKillIntoThePast() {
        long day = Duration.ofDays(1).toNanos();
        // 50 ppm, a usual error of a TSC that NTP does not discipline; a record an hour.
        for (long now = day; now <= 30 * day; now += day / 24) {
            clock.onLiveRecord((now - now / 20_000) / 1000, now);
        }
        long now = 30 * day;

        assertThat(Duration.between(clock.wallTime((now - now / 20_000) / 1000, WALL, now), WALL))
                .isLessThan(Duration.ofSeconds(3));
    }
}
