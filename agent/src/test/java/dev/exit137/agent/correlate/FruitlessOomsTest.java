package dev.exit137.agent.correlate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every process of a cgroup has oom_score_adj -1000: the kernel finds nothing to kill, and is asked again at once. */
class FruitlessOomsTest {
    @TempDir
    Path directory;

    private FakeNode node;

    @BeforeEach
    void startLive() {
        node = new FakeNode(directory);
        node.cgroup("/a");
        node.cgroup("/b");
        node.startLive();
    }

    @Test
    void aThousandReportsOfOneCgroupAreOneEventThatCountsThem() {
        for (int i = 0; i < 1000; i++) {
            fruitless("/a");
            node.pass(5);
            node.correlator.tick();
        }
        assertThat(node.events).extracting(OomKillEvent::getEventId).containsOnly("boot/incident/100");
        assertThat(node.events).hasSizeBetween(4, 6);
        assertThat(node.events).extracting(OomKillEvent::getOutcome).containsOnly(Outcome.NO_KILLABLE_PROCESS);
        node.pass(1000);
        node.correlator.tick();
        assertThat(node.events.getLast().getIncident().getRepeatedReports()).isEqualTo(999);
        assertThat(node.events.getLast().getRevision()).isEqualTo(node.events.size());
    }

    @Test
    void anotherCgroupIsAnotherEvent() {
        fruitless("/a");
        fruitless("/b");
        assertThat(node.events)
                .extracting(event -> event.getIncident().getOomMemcg())
                .containsExactly("/a", "/b");
    }

    @Test
    void theSameCgroupMuchLaterIsAnotherEvent() {
        fruitless("/a");
        node.pass(10_000);
        fruitless("/a");
        assertThat(node.events)
                .extracting(OomKillEvent::getEventId)
                .doesNotHaveDuplicates()
                .hasSize(2);
    }

    @Test
    void aKillInBetweenIsTold() {
        fruitless("/a");
        node.counted("/a", 1);
        node.summary("/a", "/a", 7);
        node.killed(7);
        fruitless("/a");
        assertThat(node.events).filteredOn(OomKillEvent::hasVictim).hasSize(1);
    }

    private void fruitless(String cgroup) {
        node.record("sh invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=-1000");
        node.record("memory: usage 32768kB, limit 32768kB, failcnt 30");
        node.record("Memory cgroup stats for " + cgroup + ":");
        node.record("Out of memory and no killable processes...");
        node.assembler.close();
    }
}
