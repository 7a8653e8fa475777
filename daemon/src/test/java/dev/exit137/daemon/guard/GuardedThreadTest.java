package dev.exit137.daemon.guard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class GuardedThreadTest {
    private static final long PATIENCE_SECONDS = 60;

    private final Guard guard = new Guard();
    private final GuardedThread thread =
            new GuardedThread(Thread.ofPlatform().name("tested").factory(), "tested", guard);

    @AfterEach
    void end() {
        thread.shutdownNow();
    }

    private static void fail() {
        throw new IllegalStateException("as the test wants it");
    }

    @Test
    void aTimerThatThrowsGoesOnAndEachTimeIsCounted() throws Exception {
        CountDownLatch fixedDelay = new CountDownLatch(3);
        CountDownLatch fixedRate = new CountDownLatch(3);
        thread.scheduleWithFixedDelay(() -> failAfter(fixedDelay), 0, 1, TimeUnit.MILLISECONDS);
        thread.scheduleAtFixedRate(() -> failAfter(fixedRate), 0, 1, TimeUnit.MILLISECONDS);
        assertThat(fixedDelay.await(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
        assertThat(fixedRate.await(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
        thread.submit(() -> {}).get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        assertThat(guard.counts().get("tested")).isGreaterThanOrEqualTo(6);
    }

    private static void failAfter(CountDownLatch times) {
        times.countDown();
        fail();
    }

    @Test
    void aTaskThatThrowsIsCountedOnceAndTheNextOneRuns() throws Exception {
        thread.execute(GuardedThreadTest::fail);
        thread.submit(GuardedThreadTest::fail).get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        thread.schedule(GuardedThreadTest::fail, 1, TimeUnit.MILLISECONDS).get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        assertThat(guard.counts()).containsEntry("tested", 3L);
    }

    @Test
    void aQuestionThatThrowsIsTheBusinessOfItsAsker() {
        assertThatThrownBy(() -> thread.submit(() -> Integer.valueOf("x")).get(PATIENCE_SECONDS, TimeUnit.SECONDS))
                .isInstanceOf(ExecutionException.class)
                .hasCauseInstanceOf(NumberFormatException.class);
        assertThat(guard.counts()).isEmpty();
    }
}
