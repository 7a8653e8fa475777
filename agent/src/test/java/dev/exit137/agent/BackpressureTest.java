package dev.exit137.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.OomKillEvent;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The aggregator is away for longer than the agent's memory lasts: then the kernel's ring is the buffer. */
class BackpressureTest extends AgentBed {
  /** More than 4 MiB of events of 60 KB. */
  private static final int UNTIL_FULL = 80;
  private static final int UNTIL_PAUSED = 90;
  private static final int KILLS = 140;

  @Test
  void everyKillIsToldExactlyOnceAndNoneByItsCounterAlone() throws Exception {
    host.pressure("/a", ("x".repeat(59) + "\n").repeat(1000));
    aggregator.goAway();
    start();
    IntStream.range(0, UNTIL_FULL).forEach(this::kill);
    awaitCheckpointOfAll(UNTIL_FULL);
    IntStream.range(UNTIL_FULL, UNTIL_PAUSED).forEach(this::kill);
    awaitCheckpoint("with a pause", checkpoint -> checkpoint.getLosses().getBackpressurePauses() > 0);
    aggregator.awaitRefusal();
    IntStream.range(UNTIL_PAUSED, KILLS).forEach(this::kill);
    // The next attempt is later than the grace: the counters have stood still for long, with their records unread.
    aggregator.awaitRefusal();
    aggregator.comeBack();

    AgentStream stream = aggregator.nextStream();
    List<OomKillEvent> events = new ArrayList<>();
    while (events.size() < KILLS) {
      OomKillEvent event = stream.nextEvents(1).get(0);
      stream.acknowledge(event);
      events.add(event);
    }
    AgentStatus status = settled(stream, events::add);

    assertThat(events)
        .extracting(event -> event.getVictim().getPid())
        .containsExactlyElementsOf(IntStream.range(0, KILLS).map(BackpressureTest::pid).boxed().toList());
    assertThat(status.getBalance().getUnaccounted()).isZero();
    assertThat(status.getBalance().getKills()).isEqualTo(KILLS + 1);
    assertThat(status.getBalance().getVmstatOomKill()).isEqualTo(KILLS + 1);
    assertThat(status.getLosses().getKmsgRecordsOverwritten()).isZero();
  }

  private void kill(int number) {
    host.kill("/a", pid(number));
  }

  private static int pid(int number) {
    return 1000 + number;
  }
}
