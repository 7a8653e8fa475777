package dev.exit137.agent.kmsg;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BackoffTest {
  private static final Duration FIRST = Duration.ofSeconds(1);
  private static final Duration LAST = Duration.ofMinutes(1);
  private long nowNanos = 1_000_000_000_000L;
  private final Backoff backoff = new Backoff(FIRST, LAST, () -> nowNanos, new Random(137));

  @Test
  void theBoundDoublesWithEachFailureUpToTheLastForHoweverLong() {
    long bound = FIRST.toNanos();
    for (int failure = 0; failure < 1000; failure++) {
      assertThat(backoff.failed()).isBetween(bound / 2, bound);
      bound = Math.min(2 * bound, LAST.toNanos());
    }
  }

  @Test
  void twoThatFailTogetherDoNotTryAgainTogether() {
    Backoff other = new Backoff(FIRST, LAST, () -> nowNanos, new Random(138));

    assertThat(backoff.failed()).isNotEqualTo(other.failed());
  }

  @Test
  void aSuccessThatDoesNotLastIsNone() {
    backoff.failed();
    backoff.failed();
    backoff.succeeded();
    nowNanos += LAST.toNanos();

    assertThat(backoff.failed()).isGreaterThanOrEqualTo(2 * FIRST.toNanos());
  }

  @Test
  void aSuccessThatLastsMakesTheNextFailureTheFirst() {
    backoff.failed();
    backoff.failed();
    backoff.succeeded();
    nowNanos += LAST.toNanos() + 1;

    assertThat(backoff.failed()).isLessThanOrEqualTo(FIRST.toNanos());
  }
}
