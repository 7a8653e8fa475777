package dev.exit137.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.SourceStatus;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The aggregator takes nothing for longer than the agent's memory lasts. */
class BackpressureTest extends AgentBed {
    /** More than 4 MiB of events of 60 KB. */
    private static final int UNTIL_FULL = 80;

    private static final int KILLS = 120;

    private final List<OomKillEvent> events = new ArrayList<>();

    @BeforeEach
    void makeEventsLarge() {
        host.pressure("/a", ("x".repeat(59) + "\n").repeat(1000));
    }

    @Test
    void everyKillIsOnTheDiskMeanwhile() throws Exception {
        aggregator.goAway();
        start();
        IntStream.range(0, KILLS).forEach(this::kill);
        awaitCheckpointOfAll(KILLS);
        crash();
        start();
        aggregator.comeBack();

        AgentStatus status = assertEveryKillComesOnce(aggregator.nextStream());
        assertThat(status.getLosses().getBackpressurePauses()).isZero();
    }

    @Test
    void whereTheDiskTakesNothingTheKernelsRingIsTheBuffer() throws Exception {
        breakTheSpool();
        start();
        AgentStream stream = aggregator.nextStream();
        IntStream.range(0, UNTIL_FULL).forEach(this::kill);
        events.addAll(stream.nextEvents(UNTIL_FULL));
        IntStream.range(UNTIL_FULL, KILLS).forEach(this::kill);
        AgentStatus paused = stream.nextStatus(status -> status.getLosses().getBackpressurePauses() > 0, events::add);
        assertThat(paused.getSourcesList()).anySatisfy(source -> {
            assertThat(source.getName()).isEqualTo("spool");
            assertThat(source.getState()).isEqualTo(SourceStatus.State.UNAVAILABLE);
            assertThat(source.getDetail()).contains("in memory only");
        });
        assertThat(events).hasSizeLessThan(KILLS);
        stream.acknowledge(events);

        AgentStatus status = assertEveryKillComesOnce(stream);
        assertThat(status.getLosses().getKmsgRecordsOverwritten()).isZero();
    }

    private AgentStatus assertEveryKillComesOnce(AgentStream stream) throws InterruptedException {
        while (events.size() < KILLS) {
            OomKillEvent event = stream.nextEvents(1).get(0);
            stream.acknowledge(event);
            events.add(event);
        }
        AgentStatus status = settled(stream, events::add);
        assertThat(events)
                .extracting(event -> event.getVictim().getPid())
                .containsExactlyElementsOf(IntStream.range(0, KILLS)
                        .map(BackpressureTest::pid)
                        .boxed()
                        .toList());
        assertThat(status.getBalance().getUnaccounted()).isZero();
        assertThat(status.getBalance().getKills()).isEqualTo(KILLS + 1);
        assertThat(status.getBalance().getVmstatOomKill()).isEqualTo(KILLS + 1);
        return status;
    }

    private void kill(int number) {
        host.kill("/a", pid(number));
    }

    private static int pid(int number) {
        return 1000 + number;
    }
}
