package dev.exit137.agent.correlate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Certainty;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The kernel's log could not be read for a while: its records come when the counters have told of their kills. */
class ReopenedLogTest {
    private static final long MINUTE_MILLIS = 60_000;

    @TempDir
    Path directory;

    private FakeNode node;

    @BeforeEach
    void makeTheNode() {
        node = new FakeNode(directory);
        node.cgroup("/a", 7);
        node.cgroup("/b", 8);
    }

    private void countedOnly(String... cgroups) {
        for (String cgroup : cgroups) {
            node.kill(cgroup);
        }
        node.settle();
        assertThat(node.events).hasSize(cgroups.length);
        node.pass(MINUTE_MILLIS);
        node.backlog = true;
    }

    private void assertThatAllIsAccountedFor() {
        node.settle();
        assertThat(node.balance.unaccounted()).isZero();
    }

    @Test
    void aRecordWithoutItsSummaryIsOfTheOnlyKillThatWasReportedWithoutOne() {
        node.startLive();
        countedOnly("/a");
        node.killed(4711, MINUTE_MILLIS);

        OomKillEvent named = node.events.getLast();
        assertThat(named.getEventId()).isEqualTo(node.events.getFirst().getEventId());
        assertThat(named.getRevision()).isEqualTo(2);
        assertThat(named.getCgroupPath()).isEqualTo("/a");
        assertThat(named.getVictim().getPid()).isEqualTo(4711);
        assertThat(named.getRecovered()).isFalse();
        assertThatAllIsAccountedFor();
    }

    @Test
    void recordsWithoutTheirSummariesAreOfTheCgroupsInWhichTheirProcessesWere() {
        node.startLive();
        countedOnly("/a", "/b");
        node.killed(8, MINUTE_MILLIS);
        node.killed(7, MINUTE_MILLIS);

        assertThat(node.events).hasSize(4);
        assertThat(node.events.subList(2, 4))
                .extracting(
                        OomKillEvent::getCgroupPath, event -> event.getVictim().getPid(), OomKillEvent::getRevision)
                .containsExactlyInAnyOrder(tuple("/b", 8, 2), tuple("/a", 7, 2));
        assertThatAllIsAccountedFor();
    }

    @Test
    void theCounterThatMovedDoesNotNameTheCgroupOfARecordThatMayBeOfAnEarlierKill() {
        node.startLive();
        countedOnly("/a");
        node.kill("/b");
        node.killed(4711, MINUTE_MILLIS);

        assertThat(node.events.getLast().getCgroupPath()).isNotEqualTo("/b");
        assertThat(node.events.getLast().getCertainty()).isEqualTo(Certainty.AMBIGUOUS);
    }

    @Test
    void aKillFromBeforeTheFirstStartIsRecoveredAndTakesNoCounterOfALaterOne() {
        node.kill("/a");
        node.startLive();
        node.pass(MINUTE_MILLIS);
        node.kill("/a");
        node.backlog = true;
        node.summary("/a", "/a", 6);
        node.killed(6, 2 * MINUTE_MILLIS);
        node.summary("/a", "/a", 7);
        node.killed(7);

        assertThat(node.events).hasSize(2);
        OomKillEvent old = node.events.getFirst();
        assertThat(old.getVictim().getPid()).isEqualTo(6);
        assertThat(old.getRecovered()).isTrue();
        assertThat(old.getEvidenceList()).doesNotContain(Evidence.MEMORY_EVENTS, Evidence.MEMORY_EVENTS_OOM);
        OomKillEvent later = node.events.getLast();
        assertThat(later.getVictim().getPid()).isEqualTo(7);
        assertThat(later.getRecovered()).isFalse();
        assertThat(later.getEvidenceList()).contains(Evidence.MEMORY_EVENTS);
        assertThatAllIsAccountedFor();
        assertThat(node.balance.beforeFirstRecord()).isZero();
        assertThat(node.balance.kills()).isEqualTo(2);
    }

    @Test
    void aKillFromBeforeTheFirstStartIsNoneThatOnlyACounterShowed() {
        node.kill("/a");
        node.startLive();
        node.pass(MINUTE_MILLIS);
        countedOnly("/a");
        node.summary("/a", "/a", 6);
        node.killed(6, 3 * MINUTE_MILLIS);
        node.summary("/a", "/a", 7);
        node.killed(7, MINUTE_MILLIS);

        assertThat(node.events).extracting(OomKillEvent::getRevision).containsExactly(1, 1, 2);
        assertThat(node.events.getLast().getVictim().getPid()).isEqualTo(7);
        assertThat(node.events.getLast().getEventId())
                .isEqualTo(node.events.getFirst().getEventId());
        assertThatAllIsAccountedFor();
    }
}
