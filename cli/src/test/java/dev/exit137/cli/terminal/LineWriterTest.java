package dev.exit137.cli.terminal;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class LineWriterTest {
  private final CountDownLatch reading = new CountDownLatch(1);
  private final CountDownLatch stuck = new CountDownLatch(1);
  private final ByteArrayOutputStream read = new ByteArrayOutputStream();

  /** A pipe whose reader does nothing until it is told to. */
  private final class StalledPipe extends OutputStream {
    @Override
    public void write(int b) throws IOException {
      stuck.countDown();
      try {
        reading.await();
      } catch (InterruptedException e) {
        throw new IOException(e);
      }
      read.write(b);
    }
  }

  private static PrintStream print(OutputStream out) {
    return new PrintStream(out, false, StandardCharsets.UTF_8);
  }

  private static void add(LineWriter writer, String line) {
    writer.add(line.length(), () -> line);
  }

  @Test
  void whileNobodyReadsThePipeNobodyWaitsAndWhatDoesNotFitIsCounted() throws Exception {
    LineWriter writer = new LineWriter("test", print(new StalledPipe()), 10);
    add(writer, "first");
    stuck.await();
    IntStream.range(0, 1000).forEach(i -> add(writer, "line" + i % 10));
    // Two of 5 bytes have room.
    assertThat(writer.dropped()).isEqualTo(998);

    reading.countDown();
    writer.close();
    assertThat(read.toString(StandardCharsets.UTF_8)).isEqualTo("first\nline0\nline1\n");
  }

  @Test
  void aPipeThatMovesIsWaitedForHoweverMuchComesAtOnce() {
    LineWriter writer = new LineWriter("test", print(read), 10);
    IntStream.range(0, 1000).forEach(i -> writer.addPatiently(5, () -> "line" + i % 10, Long.MAX_VALUE));
    writer.close();
    assertThat(writer.dropped()).isZero();
    assertThat(read.toString(StandardCharsets.UTF_8).lines()).hasSize(1000);
  }

  @Test
  void aPipeThatStandsStillIsWaitedForOnceAndAgainOnlyWhenItMoves() throws Exception {
    LineWriter writer = new LineWriter("test", print(new StalledPipe()), 10);
    add(writer, "first");
    stuck.await();
    IntStream.range(0, 3).forEach(i -> writer.addPatiently(5, () -> "line" + i, 1));
    assertThat(writer.dropped()).isEqualTo(1);
    // Would wait for ever, were it not known by now that nobody reads.
    IntStream.range(0, 1000).forEach(i -> writer.addPatiently(5, () -> "later", Long.MAX_VALUE));
    assertThat(writer.dropped()).isEqualTo(1001);

    reading.countDown();
    long dropped;
    do {
      dropped = writer.dropped();
      writer.addPatiently(5, () -> "again", Long.MAX_VALUE);
    } while (writer.dropped() > dropped);
    IntStream.range(0, 100).forEach(i -> writer.addPatiently(5, () -> "again", Long.MAX_VALUE));
    writer.close();
    assertThat(writer.dropped()).isEqualTo(dropped);
    assertThat(read.toString(StandardCharsets.UTF_8)).startsWith("first\nline0\nline1\n").endsWith("again\n");
  }

  @Test
  void aLineThatIsLongerThanTheRoomIsWrittenAllTheSame() {
    LineWriter writer = new LineWriter("test", print(read), 10);
    add(writer, "x".repeat(100));
    writer.close();
    assertThat(read.toString(StandardCharsets.UTF_8)).isEqualTo("x".repeat(100) + "\n");
    assertThat(writer.dropped()).isZero();
  }

  @Test
  void whatAClosedPipeDoesNotTakeIsCounted() {
    LineWriter writer = new LineWriter("test", print(new OutputStream() {
      @Override
      public void write(int b) throws IOException {
        throw new IOException("Broken pipe");
      }
    }), 1000);
    add(writer, "a");
    add(writer, "b");
    writer.close();
    add(writer, "c");
    assertThat(writer.dropped()).isEqualTo(3);
  }
}
