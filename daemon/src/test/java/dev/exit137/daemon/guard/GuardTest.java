package dev.exit137.daemon.guard;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class GuardTest {
    private final AtomicLong nanos = new AtomicLong(Long.MAX_VALUE - 1);
    private final Guard guard = new Guard(nanos::get);
    private final ByteArrayOutputStream log = new ByteArrayOutputStream();
    private PrintStream stderr;

    @BeforeEach
    void readTheLog() {
        stderr = System.err;
        System.setErr(new PrintStream(log, true));
    }

    @AfterEach
    void restoreTheLog() {
        System.setErr(stderr);
    }

    @Test
    void whatATaskThrowsIsSurvivedAndCountedByItsPlace() {
        assertThat(guard.run("a", GuardTest::fail)).isFalse();
        guard.guarded("a", () -> {
                    throw new StackOverflowError();
                })
                .run();
        assertThat(guard.get("b", () -> Integer.parseInt("x"), 7)).isEqualTo(7);

        assertThat(guard.run("c", () -> {})).isTrue();
        assertThat(guard.get("c", () -> 1, 7)).isEqualTo(1);

        assertThat(guard.counts()).containsOnly(Map.entry("a", 2L), Map.entry("b", 1L));
    }

    @Test
    void aKindIsLoggedOnceAMinuteAndThenWithTheNumberOfTheOthers() {
        for (int i = 0; i < 1000; i++) {
            guard.run("a", GuardTest::fail);
        }
        assertThat(logged()).isEqualTo(1);

        nanos.addAndGet(TimeUnit.SECONDS.toNanos(59));
        guard.run("a", GuardTest::fail);
        assertThat(logged()).isEqualTo(1);

        nanos.addAndGet(TimeUnit.SECONDS.toNanos(1));
        guard.run("a", GuardTest::fail);
        assertThat(logged()).isEqualTo(2);
        assertThat(log.toString()).contains("; 1000 more since");
        assertThat(guard.counts()).containsEntry("a", 1002L);
    }

    @Test
    void anotherKindOrAnotherPlaceIsLoggedAtOnce() {
        guard.run("a", GuardTest::fail);
        guard.run("b", GuardTest::fail);
        guard.run("a", () -> {
            throw new NumberFormatException("another kind");
        });

        assertThat(logged()).isEqualTo(3);
    }

    private long logged() {
        return log.toString()
                .lines()
                .filter(line -> line.contains("going on after an unexpected exception"))
                .count();
    }

    private static void fail() {
        throw new IllegalStateException("nobody expected this");
    }
}
