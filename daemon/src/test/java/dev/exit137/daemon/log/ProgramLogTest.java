package dev.exit137.daemon.log;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.slf4j.event.Level;

class ProgramLogTest {
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private final Queue<Runnable> later = new ArrayDeque<>();
    private long nanos;
    private final ProgramLog log = new ProgramLog(
            new PrintStream(err, false, StandardCharsets.UTF_8),
            InstantSource.fixed(Instant.EPOCH),
            () -> nanos,
            later::add);

    private void say(String pattern, Object... arguments) {
        log.add(Level.WARN, "dev.exit137.X", pattern, arguments, null);
    }

    private void tenSecondsLater() {
        nanos += FloodGate.WINDOW_NANOS;
        List<Runnable> due = List.copyOf(later);
        later.clear();
        due.forEach(Runnable::run);
    }

    private List<String> messages() {
        log.close();
        return err.toString(StandardCharsets.UTF_8)
                .lines()
                .map(line -> line.replaceFirst(".* msg=", ""))
                .toList();
    }

    @Test
    void aFloodOfTheSameMessageIsCountedAndTheCountIsToldThoughNothingElseIsSaid() {
        IntStream.rangeClosed(1, 538).forEach(i -> say("peer {} is refused", i));
        say("something else");
        tenSecondsLater();
        assertThat(later).as("nothing left to be told").isEmpty();
        assertThat(messages())
                .containsExactly(
                        "\"peer 1 is refused\"",
                        "\"peer 2 is refused\"",
                        "\"peer 3 is refused\"",
                        "\"peer 4 is refused\"",
                        "\"peer 5 is refused\"",
                        "\"something else\"",
                        "\"peer 538 is refused\" more_like_this=532");
    }

    @Test
    void whatAFloodHeldBackIsNotLostAtTheEnd() {
        IntStream.rangeClosed(1, 20).forEach(i -> say("peer {} is refused", i));
        assertThat(messages()).hasSize(6).last().isEqualTo("\"peer 20 is refused\" more_like_this=14");
    }

    /** 256 KiB wait; each of these is of 2 KiB. */
    @Test
    void linesThatAStalledStderrDidNotTakeAreCountedAndNoMore() throws Exception {
        CountDownLatch stuck = new CountDownLatch(1);
        CountDownLatch reading = new CountDownLatch(1);
        ByteArrayOutputStream read = new ByteArrayOutputStream();
        OutputStream stalled = new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                stuck.countDown();
                try {
                    assertThat(reading.await(60, TimeUnit.SECONDS)).isTrue();
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
                read.write(b);
            }
        };
        ProgramLog log = new ProgramLog(
                new PrintStream(stalled, false, StandardCharsets.UTF_8),
                InstantSource.fixed(Instant.EPOCH),
                () -> nanos,
                later::add);
        String filler = "x".repeat(1900);
        log.add(Level.WARN, "X", "first {}", new Object[] {filler}, null);
        assertThat(stuck.await(60, TimeUnit.SECONDS)).isTrue();
        for (int i = 0; i < 200; i++) {
            log.add(Level.WARN, "X", "kind " + i + " {}", new Object[] {filler}, null);
        }
        reading.countDown();
        log.close();

        List<String> lines = read.toString(StandardCharsets.UTF_8).lines().toList();
        int written = lines.size() - 1;
        assertThat(lines)
                .last()
                .asString()
                .endsWith("stderr does not take the log: " + (201 - written) + " lines are not here\"");
        assertThat(written).isBetween(100, 150);
    }

    @Test
    void aFloodThatGoesOnIsToldOfEveryTenSeconds() {
        for (int window = 0; window < 3; window++) {
            IntStream.range(0, 100).forEach(i -> say("again"));
            tenSecondsLater();
        }
        assertThat(messages())
                .hasSize(3 * 6)
                .filteredOn(line -> line.endsWith("more_like_this=94"))
                .hasSize(3);
    }

    @Test
    void aMessageNowAndThenIsAlwaysTold() {
        for (int i = 0; i < 20; i++) {
            say("now and then");
            nanos += FloodGate.WINDOW_NANOS / 4;
        }
        assertThat(messages()).hasSize(20);
        assertThat(later).isEmpty();
    }

    @Test
    void aMillionKindsOfMessagesAreAsLittleAFloodAsOne() {
        IntStream.range(0, 10_000).forEach(i -> say("kind " + i));
        tenSecondsLater();
        assertThat(messages()).hasSizeLessThan(300).last().asString().endsWith("more_like_this=9738");
    }

    @Test
    void whatLibrariesSayOfThemselvesIsNotTold() {
        assertThat(ProgramLog.isEnabled("io.grpc.netty.shaded.io.netty.util.internal.NativeLibraryLoader", Level.INFO))
                .isFalse();
        assertThat(ProgramLog.isEnabled("io.grpc.netty.shaded.io.netty.bootstrap.Bootstrap", Level.WARN))
                .isFalse();
        assertThat(ProgramLog.isEnabled("io.grpc.internal.ManagedChannelImpl", Level.WARN))
                .isFalse();
        assertThat(ProgramLog.isEnabled("io.netty.channel.epoll.EpollIoHandler", Level.WARN))
                .isTrue();
        assertThat(ProgramLog.isEnabled("org.sqlite.SQLiteJDBCLoader", Level.ERROR))
                .isFalse();
        assertThat(ProgramLog.isEnabled("dev.exit137.agent.delivery.uplink.Uplink", Level.INFO))
                .isTrue();
        assertThat(ProgramLog.isEnabled("dev.exit137.agent.delivery.uplink.Uplink", Level.DEBUG))
                .isFalse();
    }
}
