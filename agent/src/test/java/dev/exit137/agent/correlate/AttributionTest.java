package dev.exit137.agent.correlate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Certainty;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whose kill it was: never a wrong cgroup, rather none. */
class AttributionTest {
    @TempDir
    Path directory;

    private FakeNode node;

    @BeforeEach
    void start() {
        node = new FakeNode(directory);
    }

    @Test
    void theKernelsSummaryAndTheCounterAgree() {
        node.cgroup("/pod/a", 7);
        node.startLive();
        node.counted("/pod/a", 1);
        node.summary("/pod/a", "/pod/a", 7);
        node.killed(7);

        OomKillEvent event = node.only();
        assertThat(event.getCgroupPath()).isEqualTo("/pod/a");
        assertThat(event.getScope()).isEqualTo(Scope.MEMCG);
        assertThat(event.getEvidenceList())
                .containsExactlyInAnyOrder(
                        Evidence.KMSG_KILLED,
                        Evidence.KMSG_SUMMARY,
                        Evidence.MEMORY_EVENTS,
                        Evidence.MEMORY_EVENTS_OOM);
        assertThat(event.getCertainty()).isEqualTo(Certainty.CONFIRMED);
        assertThat(event.getVictim().getPid()).isEqualTo(7);
        assertThat(event.getVictim().getAnonRssBytes()).isEqualTo(32 << 20);
        assertThat(event.getEventId()).isEqualTo("boot/kmsg/101");
        assertThat(event.getIncident().getId()).isEqualTo("boot/incident/100");
        assertThat(event.getRecovered()).isFalse();
    }

    @Test
    void inAStormWithoutSummariesEachKillIsFoundByTheProcessesSeenBefore() {
        node.cgroup("/a", 11);
        node.cgroup("/b", 12);
        node.cgroup("/c", 13);
        node.startLive();
        node.counted("/a", 1);
        node.counted("/b", 1);
        node.counted("/c", 1);
        node.killed(13);
        node.killed(11);
        node.killed(12);

        assertThat(node.events).extracting(OomKillEvent::getCgroupPath).containsExactly("/c", "/a", "/b");
        assertThat(node.events).extracting(event -> event.getIncident().getId()).doesNotHaveDuplicates();
    }

    @Test
    void aCgroupWhosePathIsTooLongToBePrintedIsFoundByItsProcess() {
        node.cgroup("/a", 7);
        node.startLive();
        node.counted("/a", 1);
        node.summary("(name too long)", "(name too long)", 7);
        node.killed(7);

        OomKillEvent event = node.only();
        assertThat(event.getCgroupPath()).isEqualTo("/a");
        assertThat(event.getVictim().getPid()).isEqualTo(7);
        assertThat(event.getIncident().getTaskMemcg()).isEqualTo("(name too long)");
        assertThat(event.getIncident().getLimit().getCgroup()).isEqualTo("/a");
        assertThat(event.getCertainty()).isEqualTo(Certainty.CONFIRMED);
    }

    @Test
    void aPidUsedAgainByAnotherProcessIsNotTakenForTheOldOne() {
        node.cgroup("/old", 11);
        node.cgroup("/new");
        node.startLive();
        node.counted("/new", 1);
        node.killed(11);

        assertThat(node.only().getCgroupPath()).isEqualTo("/new");
    }

    @Test
    void aPidOfARemovedCgroupIsNotTakenForALaterProcess() {
        node.cgroup("/gone", 11);
        node.startLive();
        node.remove("/gone");
        node.pass(1);
        node.vmstat(1);
        node.killed(11);

        assertThat(node.only().getCgroupPath()).isEmpty();
    }

    @Test
    void theOnlyCounterThatMovedNamesTheCgroup() {
        node.cgroup("/a");
        node.cgroup("/b");
        node.startLive();
        node.counted("/b", 1);
        node.killed(99);

        OomKillEvent event = node.only();
        assertThat(event.getCgroupPath()).isEqualTo("/b");
        assertThat(event.getCertainty()).isEqualTo(Certainty.CONFIRMED);
    }

    @Test
    void twoCountersThatMovedAreCandidatesAndNoPath() {
        node.cgroup("/a");
        node.cgroup("/b");
        node.startLive();
        node.counted("/a", 1);
        node.counted("/b", 1);
        node.killed(99);

        OomKillEvent event = node.only();
        assertThat(event.getCgroupPath()).isEmpty();
        assertThat(event.getCandidatesList()).containsExactlyInAnyOrder("/a", "/b");
        assertThat(event.getCertainty()).isEqualTo(Certainty.AMBIGUOUS);
        assertThat(node.correlator.ambiguous()).isEqualTo(1);
    }

    @Test
    void oneCounterIsNoProofWhileTheNodeCountedTwoKills() {
        node.cgroup("/a");
        node.startLive();
        node.counted("/a", 1);
        // A second kill, in a cgroup that is gone: it may be the one whose record is read first.
        node.vmstat(2);
        node.killed(99);

        assertThat(node.only().getCgroupPath()).isEmpty();
        assertThat(node.only().getCandidatesList()).containsExactly("/a");
    }

    @Test
    void aCounterThatMayBeOfAnEarlierRecordNamesNoLaterKill() {
        node.cgroup("/pod");
        node.cgroup("/pod/a");
        node.startLive();
        // Two kills were counted when the first record is read: one in /pod/a, one in a cgroup that nobody saw.
        node.counters("/pod/a", 1, 1, 1);
        node.counters("/pod", 0, 2, 0);
        node.vmstat(2);
        node.killed(98);
        node.killed(99);

        assertThat(node.events).extracting(OomKillEvent::getCgroupPath).containsExactly("", "");
    }

    @Test
    void allKillsOfOneCgroupAreItsAlsoWhenSeveralAreReadAtOnce() {
        node.cgroup("/a");
        node.startLive();
        node.counters("/a", 3, 3, 3);
        node.vmstat(3);
        node.killed(97);
        node.killed(98);
        node.killed(99);

        assertThat(node.events).extracting(OomKillEvent::getCgroupPath).containsExactly("/a", "/a", "/a");
    }

    @Test
    void aCgroupMadeAgainUnderTheSamePathDoesNotInheritTheCount() {
        node.cgroup("/pod");
        node.cgroup("/pod/a", 7);
        node.startLive();
        node.counted("/pod/a", 1);
        node.counters("/pod", 0, 1, 0);
        node.remove("/pod/a");
        node.cgroup("/pod/a", 8);
        node.counters("/pod", 0, 1, 0);
        node.summary("/pod/a", "/pod/a", 7);
        node.killed(7);
        node.settle();

        assertThat(node.only().getCgroupPath()).isEqualTo("/pod/a");
        assertThat(node.watcher.tree().find("/pod/a").surplus()).isZero();
        assertThat(node.balance.unaccounted()).isZero();
    }

    @Test
    void theFilesOfACgroupMadeLaterAreNotShownAsThoseOfTheVictims() {
        node.cgroup("/a", 8);
        node.startLive();
        // The victim's /a was gone before anyone saw it; this one is another.
        node.vmstat(1);
        node.summary("/a", "/a", 7);
        node.killed(7);

        assertThat(node.only().getCgroupPath()).isEqualTo("/a");
        assertThat(node.afterKills).containsExactly(false);
    }

    @Test
    void theSummaryOfAnotherProcessIsNotTaken() {
        node.cgroup("/a", 7);
        node.cgroup("/b", 8);
        node.startLive();
        node.counted("/b", 1);
        node.record(
                "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a,"
                        + "task=hog,pid=7,uid=1000");
        node.killed(8);

        assertThat(node.events).last().extracting(OomKillEvent::getCgroupPath).isEqualTo("/b");
        assertThat(node.events).first().satisfies(cut -> {
            assertThat(cut.getOutcome()).isEqualTo(OomKillEvent.Outcome.KILL_NOT_SEEN);
            assertThat(cut.hasVictim()).isFalse();
        });
    }

    @Test
    void aSummaryThatACgroupsNameMakesAmbiguousIsNotBelieved() {
        node.cgroup("/a,task=x", 7);
        node.startLive();
        node.counted("/a,task=x", 1);
        node.summary("/a,task=x", "/a,task=x", 7);
        node.killed(7);

        assertThat(node.only().getCgroupPath()).isEqualTo("/a,task=x");
    }

    @Test
    void aPodsLimitIsThePodsThoughTheVictimIsAContainer() {
        String pod = "/kubepods.slice/kubepods-pod0f6f9a2c_1111_2222_3333_444455556666.slice";
        String container = pod + "/cri-containerd-" + "a1".repeat(32) + ".scope";
        node.cgroup(pod);
        node.cgroup(container, 7);
        node.startLive();
        node.counted(container, 1);
        node.summary(pod, container, 7);
        node.killed(7);

        Limit limit = node.only().getIncident().getLimit();
        assertThat(limit.getOwner()).isEqualTo(Limit.Owner.POD);
        assertThat(limit.getCgroup()).isEqualTo(pod);
        assertThat(limit.getLimitBytes()).isEqualTo(33554432);
        assertThat(limit.hasUsageBytes())
                .as("no block, no usage: the file says what is left")
                .isFalse();
    }

    @Test
    void withoutASummaryTheCgroupWhoseOomsMovedIsTheLimits() {
        node.cgroup("/pod");
        node.cgroup("/pod/a", 7);
        node.startLive();
        node.counters("/pod/a", 1, 1, 0);
        node.counters("/pod", 0, 1, 1);
        node.vmstat(1);
        node.killed(7);

        assertThat(node.only().getCgroupPath()).isEqualTo("/pod/a");
        assertThat(node.only().getIncident().getLimit().getCgroup()).isEqualTo("/pod");
    }

    @Test
    void aKillInWhatCameAndWentUnseenIsNotSaidToBeInOneOfTheOthers() {
        node.cgroup("/g", 1);
        node.cgroup("/above");
        node.startLive();
        node.counters("/g", 1, 1, 1);
        node.counters("/above", 0, 1, 0);
        node.vmstat(2);
        node.killed(77);

        assertThat(node.only().getCgroupPath()).isEmpty();
        assertThat(node.only().getCandidatesList()).containsExactly("/g");
        assertThat(node.only().getCandidatesOmitted()).isEqualTo(1);
    }
}
