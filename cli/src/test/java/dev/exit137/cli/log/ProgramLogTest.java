package dev.exit137.cli.log;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.slf4j.event.Level;

class ProgramLogTest {
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private final Queue<Runnable> later = new ArrayDeque<>();
  private long nanos;
  private final ProgramLog log =
      new ProgramLog(new PrintStream(err, false, StandardCharsets.UTF_8), () -> nanos, later::add);

  private void say(String pattern, Object... arguments) {
    log.add(new LogMessage(Instant.EPOCH, Level.WARN, "dev.exit137.X", pattern, arguments, null));
  }

  private void tenSecondsLater() {
    nanos += FloodGate.WINDOW_NANOS;
    List<Runnable> due = List.copyOf(later);
    later.clear();
    due.forEach(Runnable::run);
  }

  private List<String> messages() {
    log.close();
    return err.toString(StandardCharsets.UTF_8).lines().map(line -> line.replaceFirst(".* msg=", "")).toList();
  }

  @Test
  void aFloodOfTheSameMessageIsCountedAndTheCountIsToldThoughNothingElseIsSaid() {
    IntStream.rangeClosed(1, 538).forEach(i -> say("peer {} is refused", i));
    say("something else");
    tenSecondsLater();
    assertThat(later).as("nothing left to be told").isEmpty();
    assertThat(messages()).containsExactly(
        "\"peer 1 is refused\"", "\"peer 2 is refused\"", "\"peer 3 is refused\"", "\"peer 4 is refused\"",
        "\"peer 5 is refused\"", "\"something else\"", "\"peer 538 is refused\" more_like_this=532");
  }

  @Test
  void aFloodThatGoesOnIsToldOfEveryTenSeconds() {
    for (int window = 0; window < 3; window++) {
      IntStream.range(0, 100).forEach(i -> say("again"));
      tenSecondsLater();
    }
    assertThat(messages()).hasSize(3 * 6).filteredOn(line -> line.endsWith("more_like_this=94")).hasSize(3);
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
    assertThat(ProgramLog.isEnabled("io.grpc.netty.shaded.io.netty.util.internal.NativeLibraryLoader", Level.INFO)).isFalse();
    assertThat(ProgramLog.isEnabled("io.grpc.netty.shaded.io.netty.bootstrap.Bootstrap", Level.WARN)).isFalse();
    assertThat(ProgramLog.isEnabled("io.grpc.internal.ManagedChannelImpl", Level.WARN)).isFalse();
    assertThat(ProgramLog.isEnabled("io.netty.channel.epoll.EpollIoHandler", Level.WARN)).isTrue();
    assertThat(ProgramLog.isEnabled("org.sqlite.SQLiteJDBCLoader", Level.ERROR)).isFalse();
    assertThat(ProgramLog.isEnabled("dev.exit137.agent.uplink.Uplink", Level.INFO)).isTrue();
    assertThat(ProgramLog.isEnabled("dev.exit137.agent.uplink.Uplink", Level.DEBUG)).isFalse();
  }
}
