package dev.exit137.agent.kmsg;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.agent.FakeKmsg;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.retry.Backoff;
import dev.exit137.oomreport.parse.KmsgRecordFlyweight;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandle;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** However opening, waiting or what follows from it fails: exactly one further try is on the timer. */
class KmsgFollowerTest {
    private static final long MINUTE_NANOS = Duration.ofMinutes(1).toNanos();

    @TempDir
    Path directory;

    private final Guard guard = new Guard();
    private final ArrayDeque<Runnable> timer = new ArrayDeque<>();
    private final List<Long> delaysNanos = new ArrayList<>();
    private final List<String> reasons = new ArrayList<>();
    private final List<String> cancelled = new ArrayList<>();
    private long nowNanos = 1_000_000_000_000L;
    private int refusals;
    private int defects;
    private boolean room = true;
    private FakeKmsg kmsg;
    private KmsgFollower follower;

    @BeforeEach
    void make() {
        kmsg = new FakeKmsg(directory.resolve("kmsg"));
        follower = new KmsgFollower(
                new KmsgSource(kmsg.path(), 0, sink, guard),
                this::register,
                (task, delayNanos) -> {
                    timer.add(task);
                    delaysNanos.add(delayNanos);
                },
                new Backoff(
                        new Backoff.Policy(
                                Duration.ofSeconds(1),
                                Duration.ofMinutes(1),
                                Duration.ofMinutes(1),
                                Backoff.Jitter.EQUAL),
                        () -> nowNanos,
                        new Random(137)),
                listener,
                guard);
    }

    @AfterEach
    void close() {
        follower.close();
        kmsg.close();
    }

    private IoRegistration register(EpollIoHandle handle) {
        if (refusals > 0) {
            refusals--;
            throw new IllegalStateException("ENOSPC");
        }
        return (IoRegistration) Proxy.newProxyInstance(
                IoRegistration.class.getClassLoader(),
                new Class<?>[] {IoRegistration.class},
                (proxy, method, arguments) -> {
                    cancelled.add(method.getName());
                    return true;
                });
    }

    private final KmsgFollower.Listener listener = new KmsgFollower.Listener() {
        @Override
        public void onUnavailable(String reason) {
            reasons.add(reason);
            throwDefect();
        }

        @Override
        public void onReopened() {
            throwDefect();
        }
    };

    private void throwDefect() {
        if (defects > 0) {
            defects--;
            throw new AssertionError("a defect");
        }
    }

    private final KmsgSource.Sink sink = new KmsgSource.Sink() {
        @Override
        public boolean hasRoom() {
            return room;
        }

        @Override
        public void onRecord(KmsgRecordFlyweight kernelRecord) {}

        @Override
        public void onGap() {}

        @Override
        public void onPaused() {
            follower.pause();
        }

        @Override
        public void onFailed(String reason) {
            follower.failed(reason);
        }
    };

    private void runTimer() {
        assertThat(timer).as("tries that are due").hasSize(1);
        timer.remove().run();
    }

    @Test
    void aDeviceThatEpollRefusesIsTriedAgainEverMoreSeldomUntilItIsTaken() {
        refusals = 20;
        follower.open();
        follower.follow();
        for (int failure = 1; failure < 20; failure++) {
            assertThat(follower.isUnavailable()).isTrue();
            runTimer();
        }
        runTimer();

        assertThat(follower.isUnavailable()).isFalse();
        assertThat(follower.isPaused()).isFalse();
        assertThat(follower.reopens()).isEqualTo(1);
        assertThat(reasons).hasSize(20).allSatisfy(reason -> assertThat(reason).contains("ENOSPC"));
        assertThat(delaysNanos.getFirst())
                .isLessThanOrEqualTo(Duration.ofSeconds(1).toNanos());
        assertThat(delaysNanos.getLast()).isBetween(MINUTE_NANOS / 2, MINUTE_NANOS);
        assertThat(timer).isEmpty();
    }

    @Test
    void aDeviceThatFailsAtTheFirstReadAfterItWasOpenedWasNotOpenedAgain() {
        kmsg.goAway();
        follower.open();
        kmsg.comeBack();
        // Nobody has it open for writing: to its reader it ends.
        kmsg.close();
        runTimer();

        assertThat(follower.isUnavailable()).isTrue();
        assertThat(follower.reopens()).isZero();
        assertThat(timer).hasSize(1);
    }

    @Test
    void aFailureEndsTheRegistrationBeforeTheNextTry() {
        follower.open();
        follower.follow();
        kmsg.close();
        follower.drain();

        assertThat(cancelled).containsExactly("cancel");
        assertThat(timer).hasSize(1);
    }

    @Test
    void exceptionsOnTheWayLeaveOneTryOnTheTimer() {
        kmsg.goAway();
        follower.open();
        defects = 3;
        runTimer();
        runTimer();
        kmsg.comeBack();
        runTimer();
        assertThat(follower.isUnavailable()).isTrue();
        runTimer();

        assertThat(follower.isUnavailable()).isFalse();
        assertThat(follower.isPaused()).isFalse();
        assertThat(timer).isEmpty();
        assertThat(guard.counts()).isEqualTo(Map.of("kmsg", 3L));
    }

    @Test
    void wantOfRoomWhileItIsOpenedAgainIsAPauseAndNoFailure() {
        kmsg.goAway();
        follower.open();
        kmsg.record("a line");
        kmsg.comeBack();
        room = false;
        runTimer();
        assertThat(follower.isUnavailable()).isFalse();
        assertThat(follower.isPaused()).isTrue();
        room = true;
        follower.follow();

        assertThat(follower.isPaused()).isFalse();
        assertThat(timer).isEmpty();
    }

    @Test
    void nothingIsOpenedAfterTheEnd() {
        kmsg.goAway();
        follower.open();
        follower.close();
        kmsg.comeBack();
        runTimer();

        assertThat(follower.isUnavailable()).isTrue();
        assertThat(timer).isEmpty();
    }
}
