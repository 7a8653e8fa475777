package dev.exit137.agent.correlate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Certainty;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What was lost, or told late, once must not spoil what is told afterwards. */
class BooksThatDriftTest {
    @TempDir
    Path directory;

    @Test
    void aKillThatWasLostForGoodDoesNotMakeLaterKillsBeToldTwice() {
        FakeNode node = nodeWithALostKill();
        node.counted("/a", 1);
        node.counted("/b", 1);
        node.killed(98);
        node.killed(99);
        node.settle();

        assertThat(node.balance.kills()).isEqualTo(2);
        assertThat(node.events)
                .extracting(OomKillEvent::getEventId)
                .doesNotHaveDuplicates()
                .hasSize(2);
        assertThat(node.balance.unaccounted()).isEqualTo(1);
    }

    @Test
    void aKillThatWasLostForGoodDoesNotKeepTheOnlyCounterThatMovedFromNamingTheCgroup() {
        FakeNode node = nodeWithALostKill();
        node.counted("/b", 1);
        node.killed(99);

        assertThat(node.only().getCgroupPath()).isEqualTo("/b");
    }

    /** In a cgroup that nobody ever saw, by a record that was overwritten: the balance says so for ever. */
    private FakeNode nodeWithALostKill() {
        FakeNode node = new FakeNode(directory);
        node.cgroup("/a");
        node.cgroup("/b");
        node.startLive();
        node.vmstat(1);
        node.settle();
        assertThat(node.balance.unaccounted()).isEqualTo(1);
        return node;
    }

    @Test
    void aKillBetweenTheEndOfTheRingAndTheBaselineIsNeitherAbsorbedNorCountedTwice() {
        FakeNode node = new FakeNode(directory);
        node.cgroup("/a", 7);
        // What the loop does before it goes live: counters, then the ring to its end.
        node.balance.read();
        node.watcher.refreshAll();
        node.counted("/a", 1);
        node.correlator.startLive();
        node.killed(7);
        node.settle();

        assertThat(node.only().getCgroupPath()).isEqualTo("/a");
        assertThat(node.balance.unaccounted()).isZero();
    }

    @Test
    void aRecordThatComesAfterTheGraceAndAfterItsCgroupIsGoneIsTheSameKill() {
        FakeNode node = new FakeNode(directory);
        node.cgroup("/pod");
        node.cgroup("/pod/a", 7);
        node.startLive();
        node.counted("/pod/a", 1);
        node.counters("/pod", 0, 1, 0);
        node.settle();
        node.remove("/pod/a");
        node.summary("/pod/a", "/pod/a", 7);
        node.killed(7);
        node.settle();

        assertThat(node.events)
                .extracting(OomKillEvent::getEventId)
                .containsOnly(node.events.get(0).getEventId());
        assertThat(node.balance.unaccounted()).isZero();
    }

    @Test
    void aCountThatShowsLateDoesNotHideALaterKillInACgroupThatVanished() {
        FakeNode node = new FakeNode(directory);
        node.cgroup("/g");
        node.cgroup("/g/p");
        node.cgroup("/g/z", 8);
        node.startLive();
        // /g/p/x came and went while inotify's queue overflowed.
        node.counters("/g", 0, 1, 0);
        node.counters("/g/p", 0, 1, 0);
        node.vmstat(1);
        node.summary("/g/p/x", "/g/p/x", 7);
        node.killed(7);
        node.settle();
        node.cgroup("/g/p/y");
        node.counters("/g/p", 0, 1, 0);
        node.settle();
        int told = node.events.size();
        // Now a kill of which only the count above is left.
        node.remove("/g/z");
        node.counters("/g", 0, 2, 0);
        node.vmstat(2);
        node.settle();

        assertThat(node.events).hasSize(told + 1);
        assertThat(node.balance.unaccounted()).isZero();
    }

    @Test
    void aKillThatWasNeverPlacedDoesNotBlurACounterHoursLater() {
        FakeNode node = new FakeNode(directory);
        node.cgroup("/b");
        node.startLive();
        node.vmstat(1);
        node.killed(99);
        node.settle();
        node.pass(3_600_000);
        node.counted("/b", 1);
        node.settle();

        assertThat(node.events).last().extracting(OomKillEvent::getCgroupPath).isEqualTo("/b");
        assertThat(node.events).last().extracting(OomKillEvent::getCertainty).isEqualTo(Certainty.SINGLE_SOURCE);
    }

    @Test
    void aMemoryControllerThatWasTurnedOffAndOnAgainCountsFromZero() {
        FakeNode node = new FakeNode(directory);
        node.cgroup("/a", 7);
        node.counters("/a", 3, 3, 0);
        node.startLive();
        node.counters("/a", 0, 0, 0);
        node.watcher.refreshAll();
        node.counted("/a", 1);
        node.killed(7);
        node.settle();

        assertThat(node.only().getCgroupPath()).isEqualTo("/a");
        assertThat(node.watcher.tree().find("/a").surplus()).isZero();
    }

    @Test
    void aNodesOwnOomHasNoCgroupsLimitThoughThatCgroupHadAnOomBefore() {
        FakeNode node = new FakeNode(directory);
        node.cgroup("/a", 7);
        node.startLive();
        node.counters("/a", 1, 1, 1);
        node.vmstat(1);
        node.record(
                "Out of memory: Killed process 7 (hog) total-vm:65536kB, anon-rss:32768kB, file-rss:4kB, shmem-rss:0kB, UID:0 "
                        + "pgtables:100kB oom_score_adj:0");

        Limit limit = node.only().getIncident().getLimit();
        assertThat(limit.getOwner()).isEqualTo(Limit.Owner.NODE);
        assertThat(limit.getCgroup()).isEmpty();
        assertThat(limit.hasLimitBytes()).isFalse();
    }

    @Test
    void anOldOomOfTheContainerIsNotTakenForTheLimitOfASecondKillInItsPod() {
        FakeNode node = new FakeNode(directory);
        node.cgroup("/pod");
        node.cgroup("/pod/a", 7, 8);
        node.cgroup("/pod/b", 9);
        node.startLive();
        // An allocation failed at the container's own limit; nothing was killed.
        node.counters("/pod/a", 0, 0, 1);
        // Then two kills at the pod's limit, without summaries: one in each container.
        node.counters("/pod/b", 1, 1, 0);
        node.counters("/pod/a", 1, 1, 1);
        node.counters("/pod", 0, 2, 2);
        node.vmstat(2);
        node.killed(9);
        node.killed(7);

        assertThat(node.events.get(0).getIncident().getLimit().getCgroup()).isEqualTo("/pod");
        assertThat(node.events.get(1).getIncident().getLimit().getCgroup()).isIn("", "/pod");
    }
}
