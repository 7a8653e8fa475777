package dev.exit137.daemon.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class HeartbeatTest {
    private final Queue<Runnable> tasks = new ArrayDeque<>();
    private long now;

    @Test
    void aThreadThatIsStuckFailsOnceItsPatienceIsOverAndNotBefore() {
        Heartbeat heartbeat = new Heartbeat("loop", tasks::add, Duration.ofSeconds(60), () -> now);
        assertThat(heartbeat.check()).isEqualTo(Check.ok("loop"));
        pass(60);
        assertThat(heartbeat.check().passed()).isTrue();
        pass(1);
        assertThat(heartbeat.check()).isEqualTo(Check.failed("loop", "has not answered for 61 s"));
    }

    @Test
    void aThreadThatGoesOnAfterALongTaskIsAliveAgain() {
        Heartbeat heartbeat = new Heartbeat("loop", tasks::add, Duration.ofSeconds(60), () -> now);
        heartbeat.check();
        pass(300);
        assertThat(heartbeat.check().passed()).isFalse();
        tasks.remove().run();
        assertThat(heartbeat.check().passed()).isTrue();
    }

    /** A probe a minute, or a thousand a second: a stuck thread is left one task, and one that nobody looks at, none. */
    @Test
    void asManyLooksAsThereAreOneTaskWaits() {
        Heartbeat heartbeat = new Heartbeat("loop", tasks::add, Duration.ofSeconds(60), () -> now);
        for (int i = 0; i < 1000; i++) {
            heartbeat.check();
        }
        assertThat(tasks).hasSize(1);
    }

    @Test
    void aThreadThatWasNotLookedAtForLongIsNotTakenForStuck() {
        Heartbeat heartbeat = new Heartbeat("loop", tasks::add, Duration.ofSeconds(60), () -> now);
        heartbeat.check();
        tasks.remove().run();
        pass(86_400);
        assertThat(heartbeat.check().passed()).isTrue();
    }

    @Test
    void aThreadThatHasEndedFailsAtOnce() {
        Executor ended = task -> {
            throw new RejectedExecutionException();
        };
        Heartbeat heartbeat = new Heartbeat("loop", ended, Duration.ofSeconds(60), () -> now);
        assertThat(heartbeat.check()).isEqualTo(Check.failed("loop", "has ended"));
        assertThat(heartbeat.check().passed()).isFalse();
    }

    /** Each probe has a thread of its own, and kubelet gives each a second. */
    @Test
    void aLookThatIsHeldUpKeepsNoOtherFromItsAnswer() throws Exception {
        CountDownLatch looking = new CountDownLatch(1);
        CompletableFuture<Void> goOn = new CompletableFuture<Void>().orTimeout(60, TimeUnit.SECONDS);
        Heartbeat heartbeat = new Heartbeat(
                "loop",
                task -> {
                    looking.countDown();
                    goOn.join();
                },
                Duration.ofSeconds(60),
                () -> now);
        CompletableFuture.runAsync(heartbeat::check, Thread::startVirtualThread);
        assertThat(looking.await(30, TimeUnit.SECONDS)).isTrue();

        CompletableFuture<Check> other = CompletableFuture.supplyAsync(heartbeat::check, Thread::startVirtualThread);

        assertThat(other.get(30, TimeUnit.SECONDS)).isEqualTo(Check.ok("loop"));
        goOn.complete(null);
    }

    @Test
    void aThreadThatCouldNotBeGivenATaskOnceIsNotTakenForStuck() {
        Heartbeat heartbeat = new Heartbeat(
                "loop",
                task -> {
                    if (tasks.isEmpty()) {
                        tasks.add(task);
                        throw new IllegalStateException("a defect");
                    }
                    task.run();
                },
                Duration.ofSeconds(60),
                () -> now);
        assertThatThrownBy(heartbeat::check).hasMessage("a defect");
        pass(61);
        assertThat(heartbeat.check()).isEqualTo(Check.ok("loop"));
    }

    private void pass(long seconds) {
        now += Duration.ofSeconds(seconds).toNanos();
    }
}
