package dev.exit137.agent.correlate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Certainty;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An exception on the way from a record to its event: it costs no kill, and nothing of the next one. */
class CorrelatorDefectsTest {
    @TempDir
    Path directory;

    private FakeNode node;

    @BeforeEach
    void makeTheNode() {
        node = new FakeNode(directory);
        node.cgroup("/a", 7, 9);
        node.cgroup("/b", 8);
        node.startLive();
    }

    private void kill(String cgroup, int pid) {
        node.kill(cgroup);
        node.summary(cgroup, cgroup, pid);
        node.killed(pid);
    }

    private void assertCaught(long times) {
        assertThat(node.guard.counts()).isEqualTo(Map.of("correlate", times));
    }

    @Test
    void aKillWhoseCountersCannotBeReadIsReportedAsItsRecordsTellIt() {
        node.kill("/a");
        node.summary("/a", "/a", 7);
        node.watcher.drain();
        node.clockFailures = 1;
        node.killed(7);
        node.settle();

        OomKillEvent event = node.only();
        assertThat(event.getVictim().getPid()).isEqualTo(7);
        assertThat(event.getCgroupPath()).isEqualTo("/a");
        assertThat(event.getCertainty()).isEqualTo(Certainty.SINGLE_SOURCE);
        assertThat(node.balance.unaccounted()).isZero();
        assertCaught(1);
        kill("/b", 8);
        assertThat(node.events.getLast().getCertainty()).isEqualTo(Certainty.CONFIRMED);
    }

    @Test
    void aKillWithoutASummaryWhoseCountersCannotBeReadHasNotTheCgroupOfTheOneBefore() {
        kill("/a", 7);
        node.kill("/b");
        node.watcher.drain();
        node.clockFailures = 1;
        node.killed(8);

        OomKillEvent event = node.events.getLast();
        assertThat(event.getVictim().getPid()).isEqualTo(8);
        assertThat(event.getCgroupPath()).isEmpty();
        assertCaught(1);
    }

    @Test
    void aKillThatCouldNotBeHandedOverIsReportedFromItsCounter() {
        node.refusals = 1;
        kill("/a", 7);
        assertThat(node.events).isEmpty();
        node.settle();

        assertThat(node.only().getCgroupPath()).isEqualTo("/a");
        assertThat(node.balance.unaccounted()).isZero();
        assertCaught(1);
        kill("/b", 8);
        assertThat(node.events.getLast().getVictim().getPid()).isEqualTo(8);
    }

    @Test
    void aRecordThatCouldNotBeHandedOverForAKillThatWasReportedWithoutItCostsThatKillNothing() {
        node.kill("/a");
        node.settle();
        node.refusals = 1;
        node.summary("/a", "/a", 7);
        node.killed(7);
        node.settle();

        assertThat(node.only().hasVictim()).isFalse();
        assertThat(node.balance.kills()).isEqualTo(1);
        assertThat(node.balance.unaccounted()).isZero();
        assertCaught(1);
    }

    @Test
    void aKillFromACounterThatCouldNotBeHandedOverKeepsNoOtherBackAndIsMissingInTheBalance() {
        node.kill("/a");
        node.kill("/b");
        node.refusals = 1;
        node.settle();

        assertThat(node.events).hasSize(1);
        assertThat(node.balance.unaccounted()).isEqualTo(1);
        assertCaught(1);
        kill("/b", 8);
        assertThat(node.events.getLast().getVictim().getPid()).isEqualTo(8);
    }

    @Test
    void whatCouldNotBeSaidOfOneIncidentAtItsEndIsNotSaidOfItAtTheEndOfTheNext() {
        node.group("/a");
        kill("/a", 7);
        kill("/a", 9);
        int before = node.events.size();
        node.refusals = 10;
        node.assembler.close();
        node.refusals = 0;
        kill("/b", 8);
        node.assembler.close();

        assertThat(node.events.subList(before, node.events.size()))
                .extracting(event -> event.getVictim().getPid())
                .containsOnly(8);
    }

    @Test
    void anIncidentThatCannotBeClosedKeepsTheKillThatBeginsTheNextOneBackFromNobody() {
        node.summary("/a", "/a", 7);
        node.refusals = 1;
        kill("/b", 8);

        OomKillEvent event = node.only();
        assertThat(event.getVictim().getPid()).isEqualTo(8);
        assertCaught(1);
    }
}
