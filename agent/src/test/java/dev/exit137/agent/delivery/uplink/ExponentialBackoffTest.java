package dev.exit137.agent.delivery.uplink;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ExponentialBackoffTest {
  private static final Duration FIRST = Duration.ofNanos(200);
  private static final Duration LAST = Duration.ofNanos(1000);

  /** Takes the longest wait that it may. */
  private static final RandomGenerator LONGEST =
      new RandomGenerator() {
        @Override
        public long nextLong() {
          throw new UnsupportedOperationException();
        }

        @Override
        public long nextLong(long origin, long bound) {
          return bound - 1;
        }
      };

  private static List<Long> waits(ExponentialBackoff backoff, int count) {
    return IntStream.range(0, count).mapToObj(i -> backoff.nextNanos()).toList();
  }

  @Test
  void theLongestWaitDoublesWithEachFailureUpToTheBoundAndStaysThere() {
    assertThat(waits(new ExponentialBackoff(FIRST, LAST, LONGEST), 5)).containsExactly(200L, 400L, 800L, 1000L, 1000L);
    assertThat(waits(new ExponentialBackoff(FIRST, LAST, LONGEST), 100)).endsWith(1000L);
  }

  @Test
  void afterASuccessTheNextFailureIsTheFirst() {
    ExponentialBackoff backoff = new ExponentialBackoff(FIRST, LAST, LONGEST);
    waits(backoff, 7);
    backoff.reset();
    assertThat(waits(backoff, 2)).containsExactly(200L, 400L);
  }

  @Test
  void agentsThatFailedTogetherDoNotComeBackTogether() {
    SplittableRandom seed = new SplittableRandom(137);
    List<Long> firstWaits = new ArrayList<>();
    for (int agent = 0; agent < 1000; agent++) {
      firstWaits.add(new ExponentialBackoff(Duration.ofMillis(200), Duration.ofSeconds(30), seed.split()).nextNanos());
    }
    assertThat(firstWaits).allMatch(nanos -> nanos >= 1 && nanos <= 200_000_000).doesNotHaveDuplicates();
    assertThat(firstWaits.stream().filter(nanos -> nanos < 100_000_000).count()).isBetween(400L, 600L);
  }
}
