package dev.exit137.agent.correlate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Certainty;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What only a counter saw is told once; what a record told is never told again by a counter. */
class SurplusTest {
    @TempDir
    Path directory;

    @Test
    void aKillWhoseRecordWasLostIsReportedFromTheCounterAlone() {
        FakeNode node = new FakeNode(directory);
        node.cgroup("/a", 7);
        node.startLive();
        node.counted("/a", 1);
        node.settle();
        node.settle();

        OomKillEvent event = node.only();
        assertThat(event.getCgroupPath()).isEqualTo("/a");
        assertThat(event.hasVictim()).isFalse();
        assertThat(event.getEvidenceList()).containsExactly(Evidence.MEMORY_EVENTS, Evidence.MEMORY_EVENTS_OOM);
        assertThat(event.getCertainty()).isEqualTo(Certainty.SINGLE_SOURCE);
        assertThat(event.getEventId()).isEqualTo("boot/cgroup/" + node.inode("/a") + "/1");
        assertThat(node.correlator.surplus().killsWithoutRecord()).isEqualTo(1);
        assertThat(node.balance.unaccounted()).isZero();
    }

    @Test
    void aRecordThatComesAfterTheGraceIsTheSameKillBetterKnown() {
        FakeNode node = new FakeNode(directory);
        node.cgroup("/a", 7);
        node.startLive();
        node.counted("/a", 1);
        node.settle();
        node.summary("/a", "/a", 7);
        node.killed(7);

        assertThat(node.events).hasSize(2);
        assertThat(node.events)
                .extracting(OomKillEvent::getEventId)
                .containsOnly(node.events.get(0).getEventId());
        assertThat(node.events.get(1).getRevision()).isEqualTo(2);
        assertThat(node.events.get(1).getVictim().getPid()).isEqualTo(7);
        assertThat(node.balance.kills()).isEqualTo(1);
    }

    @Test
    void aKillThatIsTooOldForItsRecordTakesNoneOfItsCgroupWithIt() {
        FakeNode node = new FakeNode(directory);
        node.cgroup("/a", 7);
        node.cgroup("/b", 8);
        node.startLive();
        node.counters("/a", 2, 2, 0);
        node.vmstat(2);
        node.settle();
        // With the two of /a they are one more than are remembered.
        node.counters("/b", 255, 255, 0);
        node.vmstat(257);
        node.settle();
        String second = node.events.get(1).getEventId();
        node.summary("/a", "/a", 7);
        node.killed(7);

        OomKillEvent named = node.events.getLast();
        assertThat(named.getVictim().getPid()).isEqualTo(7);
        assertThat(named.getEventId()).isEqualTo(second);
        assertThat(named.getRevision()).isEqualTo(2);
        assertThat(node.balance.kills()).isEqualTo(257);
    }

    @Test
    void aKillThatHasItsRecordTakesNoPlaceOfOneThatHasNot() {
        FakeNode node = new FakeNode(directory);
        node.cgroup("/a", 7, 9);
        node.cgroup("/b", 8);
        node.startLive();
        node.counters("/a", 1, 1, 0);
        node.vmstat(1);
        node.settle();
        node.summary("/a", "/a", 7);
        node.killed(7);
        node.counters("/a", 2, 2, 0);
        node.vmstat(2);
        node.settle();
        String second = node.events.getLast().getEventId();
        node.counters("/b", 255, 255, 0);
        node.vmstat(257);
        node.settle();
        node.summary("/a", "/a", 9);
        node.killed(9);

        assertThat(node.events.getLast().getEventId()).isEqualTo(second);
        assertThat(node.balance.kills()).isEqualTo(257);
    }

    @Test
    void killsThatAnOutageHasPiledUpAreReportedInPortionsAndEachOnce() {
        FakeNode node = new FakeNode(directory);
        node.cgroup("/a", 7);
        node.startLive();
        node.counters("/a", 1000, 1000, 0);
        node.vmstat(1000);
        node.balance.read();
        boolean settled = node.correlator.surplus().settle(node.watcher, FakeNode.WALL, 0, false);
        assertThat(settled).isFalse();
        assertThat(node.events).hasSizeBetween(1, 999);
        for (int portion = 0; portion < 1000 && !settled; portion++) {
            settled = node.correlator.surplus().settle(node.watcher, FakeNode.WALL, 0, false);
        }

        assertThat(settled).isTrue();
        assertThat(node.events)
                .extracting(OomKillEvent::getEventId)
                .hasSize(1000)
                .doesNotHaveDuplicates();
        node.balance.settle();
        assertThat(node.balance.unaccounted()).isZero();
    }

    @Test
    void whileKillsAreCountedNothingIsSettled() {
        FakeNode node = new FakeNode(directory);
        node.cgroup("/a", 7);
        node.startLive();
        node.balance.read();
        // Counted after the balance was read: its record is still to come.
        node.counted("/a", 1);
        assertThat(node.correlator.surplus().settle(node.watcher, FakeNode.WALL, 0, false))
                .isFalse();
        node.killed(7);
        node.settle();

        assertThat(node.only().getCgroupPath()).isEqualTo("/a");
    }

    @Test
    void aKillInACgroupThatIsGoneIsSeenInTheCountAboveIt() {
        FakeNode node = new FakeNode(directory);
        node.cgroup("/pod");
        node.cgroup("/pod/a", 7);
        node.startLive();
        node.remove("/pod/a");
        node.counters("/pod", 0, 1, 0);
        node.vmstat(1);
        node.settle();
        node.settle();

        OomKillEvent event = node.only();
        assertThat(event.getCgroupPath())
                .as("which of the vanished it was, nobody can say")
                .isEmpty();
        assertThat(event.getCandidatesList()).containsExactly("/pod/a");
        assertThat(event.getEventId()).contains("/below/");
    }

    @Test
    void aKillThatItsRecordToldIsNotToldAgainByTheCountAboveItsVanishedCgroup() {
        FakeNode node = new FakeNode(directory);
        node.cgroup("/pod");
        node.cgroup("/pod/a", 7);
        node.startLive();
        node.remove("/pod/a");
        node.counters("/pod", 0, 1, 0);
        node.vmstat(1);
        node.summary("/pod/a", "/pod/a", 7);
        node.killed(7);
        node.settle();

        assertThat(node.only().getCgroupPath()).isEqualTo("/pod/a");
        assertThat(node.balance.unaccounted()).isZero();
    }

    @Test
    void aSurplusIsNoKillWhenTheNodeCountsNone() {
        FakeNode node = new FakeNode(directory);
        node.cgroup("/a", 7);
        node.startLive();
        node.counters("/a", 1, 1, 0);
        node.settle();

        assertThat(node.events).isEmpty();
    }

    @Test
    void aKillWithoutACgroupGetsItWhenTheCounterShowsLater() {
        FakeNode node = new FakeNode(directory);
        node.cgroup("/a");
        node.startLive();
        node.vmstat(1);
        node.killed(99);
        node.counters("/a", 1, 1, 0);
        node.settle();

        assertThat(node.events).hasSize(2);
        assertThat(node.events.get(1).getRevision()).isEqualTo(2);
        assertThat(node.events.get(1).getCgroupPath()).isEqualTo("/a");
        assertThat(node.events.get(1).getCertainty()).isEqualTo(Certainty.CONFIRMED);
    }

    @Test
    void countersFromBeforeTheFirstStartAreNobodysKill() {
        FakeNode node = new FakeNode(directory);
        node.cgroup("/a", 7);
        node.counters("/a", 5, 5, 5);
        node.vmstat(9);
        node.startLive();
        node.settle();

        assertThat(node.events).isEmpty();
        assertThat(node.balance.beforeFirstRecord()).isEqualTo(9);
    }

    @Test
    void aKillWhileTheAgentWasDownIsToldAfterARestartAndTheOneBeforeIsNot() {
        FakeNode before = new FakeNode(directory);
        before.cgroup("/a", 7);
        before.cgroup("/b", 8);
        before.startLive();
        before.counted("/a", 1);
        before.summary("/a", "/a", 7);
        before.killed(7);
        before.settle();

        FakeNode after = new FakeNode(directory, true, before.watcher.tree().accounts());
        after.balance.restore(before.balance.beforeFirstRecord(), before.balance.kills(), 0, 0);
        after.counted("/b", 1);
        after.startLive();
        after.settle();

        assertThat(after.only().getCgroupPath()).isEqualTo("/b");
        assertThat(after.balance.unaccounted()).isZero();
    }
}
