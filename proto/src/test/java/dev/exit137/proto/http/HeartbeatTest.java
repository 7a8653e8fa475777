package dev.exit137.proto.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
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

  private void pass(long seconds) {
    now += Duration.ofSeconds(seconds).toNanos();
  }
}
