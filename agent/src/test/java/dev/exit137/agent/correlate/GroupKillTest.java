package dev.exit137.agent.correlate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.OomKillEvent;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** memory.oom.group: all are told of, none twice, and the next OOM is not taken for one of them. */
class GroupKillTest {
    @TempDir
    Path directory;

    private FakeNode node;

    @BeforeEach
    void start() {
        node = new FakeNode(directory);
        node.cgroup("/g", 1, 2, 3);
        node.cgroup("/other", 9);
        node.startLive();
    }

    private void groupKill() {
        node.counters("/g", 4, 4, 1);
        node.vmstat(4);
        node.summary("/g", "/g", 2);
        node.killed(2);
        node.group("/g");
        node.killed(1);
        node.killed(2);
        node.killed(3);
    }

    @Test
    void threeProcessesAndFourRecordsAreThreeKillsOfOneIncident() {
        groupKill();
        node.settle();

        assertThat(node.events).filteredOn(event -> event.getRevision() == 1).hasSize(3);
        assertThat(node.events)
                .extracting(OomKillEvent::getEventId)
                .containsOnly("boot/kmsg/101", "boot/kmsg/103", "boot/kmsg/105");
        assertThat(node.events).extracting(OomKillEvent::getCgroupPath).containsOnly("/g");
        assertThat(node.events).extracting(event -> event.getIncident().getId()).containsOnly("boot/incident/100");
        Map<String, OomKillEvent> newest = new HashMap<>();
        node.events.forEach(event -> newest.put(event.getEventId(), event));
        assertThat(newest.values()).hasSize(3).allSatisfy(event -> {
            assertThat(event.getIncident().getGroupKill()).isTrue();
            assertThat(event.getIncident().getKillsSoFar()).isEqualTo(3);
            assertThat(event.getIncident().getRepeatedKillRecords()).isEqualTo(1);
        });
        assertThat(node.balance.kills()).isEqualTo(3);
        assertThat(node.balance.unaccounted()).isZero();
        assertThat(node.watcher.tree().find("/g").surplus()).isZero();
    }

    @Test
    void anOomWithoutAHeadRightAfterAGroupKillIsAnotherIncident() {
        groupKill();
        node.counters("/other", 1, 1, 1);
        node.vmstat(5);
        node.killed(9);

        OomKillEvent last = node.events.getLast();
        assertThat(last.getCgroupPath()).isEqualTo("/other");
        assertThat(last.getIncident().getId()).isEqualTo("boot/incident/106");
        assertThat(last.getIncident().getGroupKill()).isFalse();
    }

    @Test
    void aGroupKillInAStormHasNoHeadAndStillItsGroup() {
        node.counters("/g", 3, 3, 1);
        node.vmstat(3);
        node.killed(2);
        node.group("/g");
        node.killed(1);
        node.killed(2);
        node.settle();

        assertThat(node.events).extracting(event -> event.getIncident().getId()).containsOnly("boot/incident/100");
        assertThat(node.events).extracting(OomKillEvent::getCgroupPath).containsOnly("/g");
        assertThat(node.balance.unaccounted()).isZero();
    }

    @Test
    void whatWasKilledLaterWhileNobodyWatchedIsNotSaidToBeOfTheGroup() {
        node = new FakeNode(directory, true, List.of());
        node.counters("/g", 4, 4, 1);
        node.counters("/other", 1, 1, 1);
        node.vmstat(5);
        node.killed(2);
        node.group("/g");
        node.killed(1);
        node.killed(2);
        node.killed(3);
        node.pass(80);
        node.killed(9);

        OomKillEvent member = node.events.get(1);
        assertThat(member.getIncident().getGroupKill()).isTrue();
        assertThat(member.getCandidatesList()).containsExactly("/g");
        OomKillEvent later = node.events.getLast();
        assertThat(later.getIncident().getGroupKill()).isFalse();
        assertThat(later.getIncident().getId())
                .isNotEqualTo(member.getIncident().getId());
        assertThat(later.getCandidatesList()).contains("/other");
    }

    @Test
    void membersAreOfTheGroupThoughTheAgentHasNoBaselineYet() {
        node = new FakeNode(directory);
        node.counters("/g", 3, 3, 1);
        node.vmstat(3);
        node.killed(2);
        node.group("/g");
        node.killed(1);

        assertThat(node.events).extracting(event -> event.getIncident().getId()).containsOnly("boot/incident/100");
    }
}
