package dev.exit137.agent.correlate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.AgentStatus.CgroupMode;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.Limit.Owner;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Certainty;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whose limit it was, by the kernel's line and by the counter of OOMs: they agree, disagree, or one is missing. */
class LimitTest {
    private static final String ID = "4f0c".repeat(16);
    private static final String ESCAPED_UID = "0f6f9a2c_1111_2222_3333_444455556666";
    private static final String POD = "/kubepods.slice/kubepods-pod" + ESCAPED_UID + ".slice";
    private static final String CONTAINER = POD + "/cri-containerd-" + ID + ".scope";
    private static final String SIDECAR = POD + "/cri-containerd-" + "51de".repeat(16) + ".scope";
    private static final int PID = 7;

    @TempDir
    Path directory;

    private FakeNode node;

    @BeforeEach
    void start() {
        node = new FakeNode(directory);
    }

    private void container() {
        node.cgroup("/kubepods.slice");
        node.cgroup(POD);
        node.cgroup(CONTAINER, PID);
        node.startLive();
    }

    private OomKillEvent last() {
        return node.events.getLast();
    }

    private Limit limit() {
        return last().getIncident().getLimit();
    }

    // ---- everyone who can have a limit

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
          {P}/{C}                                                | {P}/{C} | CONTAINER
          {P}                                                    | {P}/{C} | POD
          /kubepods.slice/kubepods-burstable.slice               | {B}/{C} | QOS_CLASS
          /kubepods.slice                                        | {P}/{C} | NODE_ALLOCATABLE
          /kubepods                                              | /kubepods/besteffort/pod{U}/{I} | NODE_ALLOCATABLE
          /kubepods/besteffort                                   | /kubepods/besteffort/pod{U}/{I} | QOS_CLASS
          /kubepods/besteffort/pod{U}                            | /kubepods/besteffort/pod{U}/{I} | POD
          /system.slice/docker-{I}.scope                         | /system.slice/docker-{I}.scope | CONTAINER
          /system.slice/nginx.service                            | /system.slice/nginx.service | UNIT
          /system.slice/nginx.service                            | /system.slice/nginx.service/worker | UNIT
          /system.slice                                          | /system.slice/nginx.service | SLICE
          /user.slice/user-1000.slice/session-3.scope            | /user.slice/user-1000.slice/session-3.scope | UNIT
          /user.slice/user-1000.slice                            | /user.slice/user-1000.slice/session-3.scope | SLICE
          /batch                                                 | /batch/job | CGROUP
          /batch/job                                             | /batch/job | CGROUP
          """)
    void theCounterNamesTheOwnerWhereTheKernelPrintsNoSummaryAndConfirmsItWhereItDoes(
            String ofLimit, String ofVictim, Owner owner) {
        String limiting = expand(ofLimit);
        String victims = expand(ofVictim);
        for (int from = 1; from > 0; from = victims.indexOf('/', from) + 1) {
            int slash = victims.indexOf('/', from);
            node.cgroup(slash < 0 ? victims : victims.substring(0, slash), PID, PID + 1);
        }
        node.startLive();

        node.oom(limiting);
        node.kill(victims);
        node.killed(PID);
        assertThat(last().getScope()).isEqualTo(Scope.MEMCG);
        Limit.Builder expected = Limit.newBuilder().setOwner(owner).setCgroup(limiting);
        assertThat(limit())
                .isEqualTo(expected.setLimitBytes(33554432).setSwapLimitBytes(0).build());
        assertThat(last().getEvidenceList())
                .containsExactlyInAnyOrder(
                        Evidence.KMSG_KILLED, Evidence.PROC, Evidence.MEMORY_EVENTS, Evidence.MEMORY_EVENTS_OOM);
        assertThat(last().getCertainty()).isEqualTo(Certainty.CONFIRMED);

        node.oom(limiting);
        node.kill(victims);
        node.summary(limiting, victims, PID + 1);
        node.killed(PID + 1);
        assertThat(limit().getOwner()).isEqualTo(owner);
        assertThat(limit().getCgroup()).isEqualTo(limiting);
        assertThat(limit().getContradictedByList()).isEmpty();
        assertThat(last().getEvidenceList())
                .containsExactlyInAnyOrder(
                        Evidence.KMSG_KILLED,
                        Evidence.KMSG_SUMMARY,
                        Evidence.MEMORY_EVENTS,
                        Evidence.MEMORY_EVENTS_OOM);
        assertThat(last().getCertainty()).isEqualTo(Certainty.CONFIRMED);
    }

    private static String expand(String path) {
        return path.replace("{P}", "/kubepods.slice/kubepods-pod{U}.slice")
                .replace("{B}", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{U}.slice")
                .replace("{C}", "cri-containerd-{I}.scope")
                .replace("{U}", ESCAPED_UID)
                .replace("{I}", ID);
    }

    @Test
    void aNodeWithoutMemoryIsNoContainersLimitThoughTheVictimsHadBeenHitToo() {
        container();
        node.oom(CONTAINER);
        node.kill(CONTAINER);
        node.record("Out of memory: Killed process 7 (hog) total-vm:65536kB, anon-rss:32768kB, file-rss:4kB, "
                + "shmem-rss:0kB, UID:0 pgtables:100kB oom_score_adj:0");

        assertThat(last().getScope()).isEqualTo(Scope.GLOBAL);
        assertThat(limit()).isEqualTo(Limit.newBuilder().setOwner(Owner.NODE).build());
        assertThat(last().getEvidenceList()).doesNotContain(Evidence.MEMORY_EVENTS_OOM);
    }

    // ---- several limits

    @Test
    void twoPodsThatRunOutAtOnceAreNotMixedUp() {
        node.cgroup("/pod-a");
        node.cgroup("/pod-a/one", 1);
        node.cgroup("/pod-b");
        node.cgroup("/pod-b/two", 2);
        node.startLive();
        node.oom("/pod-a");
        node.oom("/pod-b");
        node.kill("/pod-b/two");
        node.kill("/pod-a/one");
        node.killed(2);
        assertThat(limit().getCgroup()).isEqualTo("/pod-b");
        node.killed(1);
        assertThat(limit().getCgroup()).isEqualTo("/pod-a");
    }

    @Test
    void theContainersLimitAndThenThePodsAreToldApart() {
        container();
        node.oom(CONTAINER);
        node.kill(CONTAINER);
        node.killed(PID);
        assertThat(limit().getOwner()).isEqualTo(Owner.CONTAINER);
        node.oom(POD);
        node.kill(CONTAINER);
        node.killed(PID);
        assertThat(limit().getOwner())
                .as("though it is as large as the container's")
                .isEqualTo(Owner.POD);
    }

    // ---- a pod's limit that is one container's own

    /** The victim holds 32 MiB. */
    private void podOfTwo(String ofPod, String ofApp, String ofSidecar, long usedByApp) {
        container();
        node.cgroup(SIDECAR);
        node.limit(POD, ofPod);
        node.limit(CONTAINER, ofApp);
        node.limit(SIDECAR, ofSidecar);
        node.uses(CONTAINER, usedByApp);
        node.oom(POD);
        node.kill(CONTAINER);
        node.killed(PID);
    }

    @Test
    void thePauseContainerMakesAPodHitItsLimitBeforeItsOnlyContainer() {
        podOfTwo("33554432", "33554432", "max", 33_400_000);
        assertThat(limit().getOwner()).isEqualTo(Owner.CONTAINER);
        assertThat(limit().getCgroup()).as("the kernel's").isEqualTo(POD);
        assertThat(limit().getOwnerCgroup()).isEqualTo(CONTAINER);
        assertThat(limit().getLimitBytes()).isEqualTo(33554432);
    }

    @Test
    void theMemoryOfTheVictimMayBeFreedBeforeTheFilesAreRead() {
        podOfTwo("33554432", "33554432", "max", 4096);
        assertThat(limit().getOwnerCgroup()).isEqualTo(CONTAINER);
    }

    @ParameterizedTest
    @CsvSource({
        "67108864, 33554432, 33554432, containers that share the sum",
        "33554432, 33554432, 33554432, a pod with a limit of its own",
        "33554432, max, 33554432, a victim without a limit of its own",
        "max, max, max, a pod whose limit was removed",
        "335544320, 335544320, max, a container that held little of it"
    })
    void thePodsLimitIsThePodsWhere(String ofPod, String ofApp, String ofSidecar, String story) {
        podOfTwo(ofPod, ofApp, ofSidecar, 33_400_000);
        assertThat(limit().getOwner()).as(story).isEqualTo(Owner.POD);
        assertThat(limit().getOwnerCgroup()).isEmpty();
    }

    // ---- v1, which counts no OOMs, in a storm that silences the kernel's line

    @Test
    void onV1TheFullCgroupIsInferredWhereNoLineNamesIt() {
        v1();
        node.uses(POD, 33_500_000);
        node.uses(CONTAINER, 33_400_000);
        node.kill(CONTAINER);
        node.killed(PID);
        assertThat(limit().getInferred()).isTrue();
        assertThat(limit().getCgroup()).isEqualTo(CONTAINER);
        assertThat(limit().getOwner()).isEqualTo(Owner.CONTAINER);
        assertThat(limit().getLimitBytes()).isEqualTo(33554432);
        assertThat(last().getEvidenceList()).doesNotContain(Evidence.MEMORY_EVENTS_OOM);
    }

    @Test
    void onV1NothingIsInferredWhereNoCgroupWasFull() {
        v1();
        for (String path : List.of("/kubepods.slice", POD, CONTAINER)) {
            node.limit(path, "335544320");
            node.uses(path, 33_400_000);
        }
        node.kill(CONTAINER);
        node.killed(PID);
        assertThat(limit()).isEqualTo(Limit.getDefaultInstance());
    }

    @Test
    void onV1TheKernelsLineIsNoInference() {
        v1();
        node.uses(CONTAINER, 33_400_000);
        node.kill(CONTAINER);
        node.summary("/kubepods.slice", CONTAINER, PID);
        node.killed(PID);
        assertThat(limit().getInferred()).isFalse();
        assertThat(limit().getCgroup()).isEqualTo("/kubepods.slice");
    }

    private void v1() {
        node = new FakeNode(directory.resolve("v1"), CgroupMode.V1);
        container();
    }

    // ---- more than one fits

    @Test
    void whichOfTwoLimitsWasHitFirstIsNotGuessed() {
        container();
        node.oom(CONTAINER);
        node.oom(POD);
        node.kill(CONTAINER);
        node.killed(PID);

        assertThat(limit()).isEqualTo(Limit.getDefaultInstance());
        assertThat(last().getScope()).isEqualTo(Scope.MEMCG);
        assertThat(last().getEvidenceList()).doesNotContain(Evidence.MEMORY_EVENTS_OOM);
    }

    @Test
    void theSummaryTellsWhichOfTwoCountersItWas() {
        container();
        node.oom(CONTAINER);
        node.oom(POD);
        node.kill(CONTAINER);
        node.summary(POD, CONTAINER, PID);
        node.killed(PID);
        assertThat(limit().getOwner()).isEqualTo(Owner.POD);
        assertThat(limit().getContradictedByList()).isEmpty();
        assertThat(last().getEvidenceList()).contains(Evidence.MEMORY_EVENTS_OOM);

        node.kill(CONTAINER);
        node.killed(PID);
        assertThat(limit().getOwner()).as("what is left is the container's").isEqualTo(Owner.CONTAINER);
    }

    @Test
    void anOomOfLongAgoThatKilledNothingIsNotTheReason() {
        container();
        node.oom(CONTAINER);
        node.watcher.refreshAll();
        node.pass(31_000);
        node.oom(POD);
        node.kill(CONTAINER);
        node.killed(PID);

        assertThat(limit().getOwner()).isEqualTo(Owner.POD);
    }

    @Test
    void ofManyThreadsThatFoundNoMemoryOneKillsAndTheOthersAreForgotten() {
        container();
        for (int thread = 0; thread < 5; thread++) {
            node.oom(CONTAINER);
        }
        node.kill(CONTAINER);
        node.killed(PID);
        assertThat(limit().getOwner()).isEqualTo(Owner.CONTAINER);

        node.pass(31_000);
        node.oom(CONTAINER);
        node.kill(CONTAINER);
        node.killed(PID);
        node.oom(POD);
        node.kill(CONTAINER);
        node.killed(PID);
        assertThat(limit().getOwner()).isEqualTo(Owner.POD);
    }

    // ---- group kills

    @Test
    void aGroupKillIsOneOomThoughManyDied() {
        container();
        node.oom(POD);
        node.kill(CONTAINER);
        node.kill(CONTAINER);
        node.killed(PID);
        node.group(CONTAINER);
        node.killed(PID + 1);
        assertThat(node.events).hasSize(2).allSatisfy(event -> {
            assertThat(event.getIncident().getLimit().getCgroup()).isEqualTo(POD);
            assertThat(event.getEvidenceList()).contains(Evidence.MEMORY_EVENTS_OOM);
        });

        node.pass(2000);
        node.oom(POD);
        node.kill(CONTAINER);
        node.killed(PID);
        assertThat(limit().getCgroup()).as("of the next OOM").isEqualTo(POD);
    }

    @Test
    void theFirstOfAGroupGetsItsLimitFromAnotherWhoseCgroupIsKnown() {
        node.cgroup("/pod");
        node.cgroup("/pod/a");
        node.cgroup("/pod/b", 2);
        node.startLive();
        node.oom("/pod");
        node.kill("/pod/a");
        node.kill("/pod/b");
        node.killed(1);
        assertThat(last().getCgroupPath()).isEmpty();
        assertThat(limit().getCgroup()).isEmpty();
        node.group("/pod");
        node.killed(2);
        node.assembler.close();

        assertThat(node.events)
                .filteredOn(event -> event.getVictim().getPid() == 1)
                .last()
                .satisfies(event -> {
                    assertThat(event.getIncident().getLimit().getCgroup()).isEqualTo("/pod");
                    assertThat(event.getIncident().getLimit().getOwner()).isEqualTo(Owner.CGROUP);
                    assertThat(event.getEvidenceList()).contains(Evidence.MEMORY_EVENTS_OOM);
                });
    }

    // ---- disagreement

    @Test
    void anotherCounterThanTheOneOfTheSummaryIsAContradictionAndNoConfirmation() {
        container();
        node.oom(POD);
        node.kill(CONTAINER);
        node.summary(CONTAINER, CONTAINER, PID);
        node.killed(PID);

        assertThat(limit().getCgroup()).as("the kernel's own line").isEqualTo(CONTAINER);
        assertThat(limit().getContradictedByList()).containsExactly(POD);
        assertThat(last().getCertainty()).isEqualTo(Certainty.SINGLE_SOURCE);
        assertThat(last().getEvidenceList()).doesNotContain(Evidence.MEMORY_EVENTS_OOM);
    }

    @Test
    void aCounterThatIsGoneWithItsCgroupContradictsNothing() {
        container();
        node.oom(POD);
        node.oom(CONTAINER);
        node.kill(CONTAINER);
        node.remove(CONTAINER);
        node.cgroup(CONTAINER, 99);
        node.counters(POD, 0, 1, 1);
        node.summary(CONTAINER, CONTAINER, PID);
        node.killed(PID);

        assertThat(limit().getCgroup()).isEqualTo(CONTAINER);
        assertThat(limit().getContradictedByList()).isEmpty();
        assertThat(limit().hasLimitBytes()).as("the file is another cgroup's").isFalse();
    }

    @Test
    void theFileOfACgroupMadeLaterUnderTheSamePathIsNotTheLimitThatWasHit() {
        node.cgroup("/a", 8);
        node.startLive();
        // The victim's /a came and went unseen.
        node.vmstat(1);
        node.summary("/a", "/a", PID);
        node.killed(PID);

        assertThat(limit())
                .isEqualTo(Limit.newBuilder()
                        .setOwner(Owner.CGROUP)
                        .setCgroup("/a")
                        .build());
    }

    @Test
    void noCounterThatMovedContradictsNothing() {
        container();
        node.kill(CONTAINER);
        node.summary(POD, CONTAINER, PID);
        node.killed(PID);

        assertThat(limit().getCgroup()).isEqualTo(POD);
        assertThat(limit().getContradictedByList()).isEmpty();
        assertThat(last().getCertainty()).isEqualTo(Certainty.CONFIRMED);
    }

    // ---- before and after the record

    @Test
    void theReportThatTakesLongToPrintStillHasItsCounter() {
        container();
        node.oom(POD);
        node.settle();
        node.pass(20_000);
        node.settle();
        node.kill(CONTAINER);
        node.killed(PID);

        assertThat(limit().getCgroup()).isEqualTo(POD);
    }

    @Test
    void aKillThatOnlyCountersSawIsOfTheLimitWhoseCounterMoved() {
        container();
        node.oom(POD);
        node.kill(CONTAINER);
        node.settle();

        assertThat(last().getScope()).isEqualTo(Scope.MEMCG);
        assertThat(limit().getOwner()).isEqualTo(Owner.POD);
        assertThat(limit().getLimitBytes()).isEqualTo(33554432);
        assertThat(last().getEvidenceList()).containsExactly(Evidence.MEMORY_EVENTS, Evidence.MEMORY_EVENTS_OOM);
        assertThat(last().getCertainty()).isEqualTo(Certainty.SINGLE_SOURCE);
    }

    @Test
    void theReportWhoseKillWasOverwrittenLeavesTheCounterToTheKill() {
        container();
        node.oom(POD);
        node.kill(CONTAINER);
        node.summary(POD, CONTAINER, PID);
        node.settle();

        assertThat(node.events).hasSize(2).allSatisfy(event -> {
            assertThat(event.getIncident().getLimit().getCgroup()).isEqualTo(POD);
            assertThat(event.getEvidenceList()).contains(Evidence.MEMORY_EVENTS_OOM);
        });
    }

    @Test
    void theSummaryThatComesLaterAgreesWithTheCounterThatWasToldBefore() {
        container();
        node.oom(POD);
        node.kill(CONTAINER);
        node.settle();
        node.oom(CONTAINER);
        node.summary(POD, CONTAINER, PID);
        node.killed(PID);

        assertThat(last().getRevision()).isEqualTo(2);
        assertThat(limit().getContradictedByList()).isEmpty();
        assertThat(last().getEvidenceList()).contains(Evidence.MEMORY_EVENTS_OOM);
    }

    @Test
    void withoutACounterThatMovedNobodySaysWhatRanOut() {
        container();
        node.kill(CONTAINER);
        node.settle();

        assertThat(last().getScope())
                .as("it may have been the node, or a cgroup that is gone")
                .isEqualTo(Scope.UNKNOWN);
        assertThat(last().getIncident().hasLimit()).isFalse();
    }

    @Test
    void aKillWhoseCgroupIsKnownLaterHasItsLimitThen() {
        container();
        node.vmstat(1);
        node.killed(99);
        assertThat(limit().getCgroup()).isEmpty();
        node.oom(POD);
        node.counters(CONTAINER, 1, 1, 0);
        node.settle();

        assertThat(last().getCgroupPath()).isEqualTo(CONTAINER);
        assertThat(limit().getCgroup()).isEqualTo(POD);
        assertThat(last().getEvidenceList()).contains(Evidence.MEMORY_EVENTS_OOM);
    }

    @Test
    void whatWasCountedBeforeTheFirstStartIsNobodysLimit() {
        node.cgroup(POD);
        node.cgroup(CONTAINER, PID);
        node.oom(CONTAINER);
        node.startLive();
        node.oom(POD);
        node.kill(CONTAINER);
        node.killed(PID);

        assertThat(limit().getOwner()).isEqualTo(Owner.POD);
    }

    @Test
    void anOomThatWasTakenBeforeARestartIsNotTakenAgain() {
        container();
        node.oom(CONTAINER);
        node.kill(CONTAINER);
        node.killed(PID);
        node.settle();

        FakeNode after = new FakeNode(directory, true, node.watcher.tree().accounts());
        after.balance.restore(0, 1, 0, 0);
        node.oom(POD);
        node.kill(CONTAINER);
        after.startLive();
        after.killed(PID);

        assertThat(after.only().getIncident().getLimit().getOwner()).isEqualTo(Owner.POD);
    }

    // ---- the limit itself

    @Test
    void aLimitThatWasTakenAwaySinceIsNotSaidToBeNone() {
        container();
        node.limit(POD, "max");
        node.oom(POD);
        node.kill(CONTAINER);
        node.killed(PID);

        assertThat(limit().getCgroup()).isEqualTo(POD);
        assertThat(limit().hasLimitBytes()).isFalse();
    }
}
