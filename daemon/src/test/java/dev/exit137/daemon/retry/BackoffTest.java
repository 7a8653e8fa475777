package dev.exit137.daemon.retry;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.daemon.retry.Backoff.Jitter;
import dev.exit137.daemon.retry.Backoff.Policy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BackoffTest {
    private static final Duration FIRST = Duration.ofSeconds(1);
    private static final Duration LAST = Duration.ofMinutes(1);
    private static final Policy EQUAL = new Policy(FIRST, LAST, LAST, Jitter.EQUAL);
    private static final Policy FULL =
            new Policy(Duration.ofNanos(200), Duration.ofNanos(1000), Duration.ofNanos(5000), Jitter.FULL);

    /** Takes the longest wait that it may. */
    private static final RandomGenerator LONGEST = new RandomGenerator() {
        @Override
        public long nextLong() {
            throw new UnsupportedOperationException();
        }

        @Override
        public long nextLong(long origin, long bound) {
            return bound - 1;
        }
    };

    private long nowNanos = 1_000_000_000_000L;
    private final Backoff backoff = backoff(EQUAL, new Random(137));

    private Backoff backoff(Policy policy, RandomGenerator random) {
        return new Backoff(policy, () -> nowNanos, random);
    }

    private static List<Long> waits(Backoff backoff, int count) {
        return IntStream.range(0, count).mapToObj(i -> backoff.failed()).toList();
    }

    @Test
    void theLongestWaitDoublesWithEachFailureUpToTheBoundAndStaysThere() {
        assertThat(waits(backoff(FULL, LONGEST), 5)).containsExactly(200L, 400L, 800L, 1000L, 1000L);
        assertThat(waits(backoff(FULL, LONGEST), 100)).endsWith(1000L);
    }

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
        Backoff other = backoff(EQUAL, new Random(138));

        assertThat(backoff.failed()).isNotEqualTo(other.failed());
    }

    @Test
    void agentsThatFailedTogetherDoNotComeBackTogether() {
        Policy policy = new Policy(Duration.ofMillis(200), Duration.ofSeconds(30), Duration.ofSeconds(10), Jitter.FULL);
        SplittableRandom seed = new SplittableRandom(137);
        List<Long> firstWaits = new ArrayList<>();
        for (int agent = 0; agent < 1000; agent++) {
            firstWaits.add(backoff(policy, seed.split()).failed());
        }
        assertThat(firstWaits)
                .allMatch(nanos -> nanos >= 1 && nanos <= 200_000_000)
                .doesNotHaveDuplicates();
        assertThat(firstWaits.stream().filter(nanos -> nanos < 100_000_000).count())
                .isBetween(400L, 600L);
    }

    @Test
    void aSuccessThatDoesNotLastIsNone() {
        nowNanos += backoff.failed();
        nowNanos += backoff.failed();
        backoff.succeeded();
        nowNanos += LAST.toNanos();

        assertThat(backoff.failed()).isGreaterThanOrEqualTo(2 * FIRST.toNanos());
    }

    @Test
    void aSuccessThatLastsMakesTheNextFailureTheFirst() {
        nowNanos += backoff.failed();
        nowNanos += backoff.failed();
        backoff.succeeded();
        nowNanos += LAST.toNanos() + 1;

        assertThat(backoff.failed()).isLessThanOrEqualTo(FIRST.toNanos());
    }

    @Test
    void afterASuccessThatLastsTheWaitDoublesFromTheFirstAgain() {
        Backoff full = backoff(FULL, LONGEST);
        waits(full, 7).forEach(wait -> nowNanos += wait);
        full.succeeded();
        nowNanos += FULL.steady().toNanos() + 1;

        assertThat(waits(full, 2)).containsExactly(200L, 400L);
    }

    @Test
    void anAttemptThatOnlyTakesLongIsNoSuccess() {
        nowNanos += backoff.failed();
        nowNanos += backoff.failed();
        nowNanos += LAST.toNanos() + 1;

        assertThat(backoff.failed()).isGreaterThanOrEqualTo(2 * FIRST.toNanos());
    }
}
