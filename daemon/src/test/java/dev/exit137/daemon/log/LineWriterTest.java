package dev.exit137.daemon.log;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.daemon.guard.Guard;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class LineWriterTest {
    private static final int LIMIT_SECONDS = 60;

    private final Guard guard = new Guard();
    private final CountDownLatch reading = new CountDownLatch(1);
    private final CountDownLatch stuck = new CountDownLatch(1);
    private final ByteArrayOutputStream read = new ByteArrayOutputStream();

    /** A pipe whose reader does nothing until it is told to. */
    private final class StalledPipe extends OutputStream {
        @Override
        public void write(int b) throws IOException {
            stuck.countDown();
            try {
                LineWriterTest.await(reading);
            } catch (InterruptedException e) {
                throw new IOException(e);
            }
            read.write(b);
        }
    }

    private static void await(CountDownLatch latch) throws InterruptedException {
        assertThat(latch.await(LIMIT_SECONDS, TimeUnit.SECONDS))
                .as("within %s s", LIMIT_SECONDS)
                .isTrue();
    }

    private LineWriter writer(OutputStream out, long roomBytes) {
        return new LineWriter("test", print(out), roomBytes, guard);
    }

    private static PrintStream print(OutputStream out) {
        return new PrintStream(out, false, StandardCharsets.UTF_8);
    }

    private static void add(LineWriter writer, String line) {
        writer.add(line.length(), () -> line);
    }

    @Test
    void whileNobodyReadsThePipeNobodyWaitsAndWhatDoesNotFitIsCounted() throws Exception {
        LineWriter writer = writer(new StalledPipe(), 10);
        add(writer, "first");
        await(stuck);
        IntStream.range(0, 1000).forEach(i -> add(writer, "line" + i % 10));
        // Two of 5 bytes have room.
        assertThat(writer.dropped()).isEqualTo(998);

        reading.countDown();
        writer.close();
        assertThat(read.toString(StandardCharsets.UTF_8)).isEqualTo("first\nline0\nline1\n");
    }

    @Test
    void aPipeThatMovesIsWaitedForHoweverMuchComesAtOnce() {
        LineWriter writer = writer(read, 10);
        IntStream.range(0, 1000).forEach(i -> writer.addPatiently(5, () -> "line" + i % 10, Long.MAX_VALUE));
        writer.close();
        assertThat(writer.dropped()).isZero();
        assertThat(read.toString(StandardCharsets.UTF_8).lines()).hasSize(1000);
    }

    @Test
    void aPipeThatStandsStillIsWaitedForOnceAndAgainOnlyWhenItMoves() throws Exception {
        LineWriter writer = writer(new StalledPipe(), 10);
        add(writer, "first");
        await(stuck);
        IntStream.range(0, 3).forEach(i -> writer.addPatiently(5, () -> "line" + i, 1));
        assertThat(writer.dropped()).isEqualTo(1);
        // Would wait for ever, were it not known by now that nobody reads.
        IntStream.range(0, 1000).forEach(i -> writer.addPatiently(5, () -> "later", Long.MAX_VALUE));
        assertThat(writer.dropped()).isEqualTo(1001);

        reading.countDown();
        long dropped;
        long start = System.nanoTime();
        do {
            assertThat(System.nanoTime() - start).isLessThan(TimeUnit.SECONDS.toNanos(LIMIT_SECONDS));
            dropped = writer.dropped();
            writer.addPatiently(5, () -> "again", Long.MAX_VALUE);
        } while (writer.dropped() > dropped);
        IntStream.range(0, 100).forEach(i -> writer.addPatiently(5, () -> "again", Long.MAX_VALUE));
        writer.close();
        assertThat(writer.dropped()).isEqualTo(dropped);
        assertThat(read.toString(StandardCharsets.UTF_8))
                .startsWith("first\nline0\nline1\n")
                .endsWith("again\n");
    }

    @Test
    void aLineThatIsLongerThanTheRoomIsWrittenAllTheSame() {
        LineWriter writer = writer(read, 10);
        add(writer, "x".repeat(100));
        writer.close();
        assertThat(read.toString(StandardCharsets.UTF_8)).isEqualTo("x".repeat(100) + "\n");
        assertThat(writer.dropped()).isZero();
    }

    @Test
    void whatAClosedPipeDoesNotTakeIsCounted() {
        LineWriter writer = writer(
                new OutputStream() {
                    @Override
                    public void write(int b) throws IOException {
                        throw new IOException("Broken pipe");
                    }
                },
                1000);
        add(writer, "a");
        add(writer, "b");
        writer.close();
        add(writer, "c");
        assertThat(writer.dropped()).isEqualTo(3);
    }

    @Test
    void aLineThatCannotBeMadeIsCountedAndTheNextIsWritten() {
        LineWriter writer = writer(read, 1000);
        writer.add(1, () -> {
            throw new IllegalStateException("a defect");
        });
        add(writer, "next");
        writer.close();
        assertThat(read.toString(StandardCharsets.UTF_8)).isEqualTo("next\n");
        assertThat(writer.dropped()).isEqualTo(1);
        assertThat(guard.counts()).containsExactlyEntriesOf(Map.of("test", 1L));
    }

    /** On a busy machine the first one takes seconds. */
    @Test
    void aLineThatIsMadeSlowlyIsWaitedForAtTheEndHoweverLittlePatienceThereIsWithThePipe() throws Exception {
        CountDownLatch making = new CountDownLatch(1);
        CountDownLatch made = new CountDownLatch(1);
        LineWriter writer = writer(read, 1000);
        writer.add(1, () -> {
            making.countDown();
            try {
                await(made);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            return "slow";
        });
        await(making);
        Thread closing = Thread.ofPlatform().start(() -> writer.close(1));
        awaitWaiting(closing);
        made.countDown();
        assertThat(closing.join(Duration.ofSeconds(LIMIT_SECONDS))).isTrue();
    }

    @Test
    void aPipeThatMovesAgainGetsAllThatWaitedAtTheEnd() throws Exception {
        LineWriter writer = writer(new StalledPipe(), 1000);
        IntStream.range(0, 50).forEach(i -> add(writer, "line" + i % 10));
        await(stuck);
        Thread closing = Thread.ofPlatform().start(() -> writer.close(Long.MAX_VALUE));
        awaitWaiting(closing);
        reading.countDown();
        assertThat(closing.join(Duration.ofSeconds(LIMIT_SECONDS))).isTrue();
        assertThat(read.toString(StandardCharsets.UTF_8).lines()).hasSize(50);
        assertThat(writer.dropped()).isZero();
    }

    @Test
    void whatAStalledPipeDoesNotTakeAtTheEndIsCountedOnce() throws Exception {
        LineWriter writer = writer(new StalledPipe(), 1000);
        IntStream.range(0, 3).forEach(i -> add(writer, "line" + i));
        await(stuck);
        writer.close(1);
        assertThat(writer.dropped()).isEqualTo(3);
        reading.countDown();
        writer.close();
        assertThat(writer.dropped()).isEqualTo(3);
    }

    private static void awaitWaiting(Thread thread) {
        long start = System.nanoTime();
        while (thread.getState() != Thread.State.TIMED_WAITING) {
            assertThat(thread.isAlive()).isTrue();
            assertThat(System.nanoTime() - start).isLessThan(TimeUnit.SECONDS.toNanos(LIMIT_SECONDS));
            Thread.onSpinWait();
        }
    }
}
