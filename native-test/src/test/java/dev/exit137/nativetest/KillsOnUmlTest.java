package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.AfterKill;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.MemoryBreakdown;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import dev.exit137.proto.v1.QosClass;
import dev.exit137.proto.v1.Task;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** One boot of a node with cgroup v2, all kinds of kills in it, and the events in the consumer's stream. */
@Tag("kernel")
class KillsOnUmlTest {
    private static final Duration LIMIT = Duration.ofMinutes(25);
    private static final long LIMIT_BYTES = 4L << 20;
    private static final long PAGE_BYTES = 4096;

    private static UmlRun run;

    @BeforeAll
    static void boot() {
        run = UmlBed.boot("main", 1024, LIMIT);
    }

    @Test
    void killAtTheContainersLimitNamesTheContainer() {
        run.assertEveryKillCameOnce("container-limit");
        run.assertRightCgroups("container-limit");
        OomKillEvent event = run.onlyEvent("container-limit");
        assertThat(event.getScope()).isEqualTo(Scope.MEMCG);
        assertThat(event.getRecovered()).isFalse();
        Limit limit = event.getIncident().getLimit();
        assertThat(limit.getOwner()).isEqualTo(Limit.Owner.CONTAINER);
        assertThat(limit.getCgroup()).isEqualTo(event.getCgroupPath());
        assertThat(limit.getLimitBytes()).isEqualTo(LIMIT_BYTES);
        run.assertRightLimits("container-limit", Limit.Owner.CONTAINER, victims -> victims);
        assertThat(event.getContainer().getRuntime()).isEqualTo("containerd");
        assertThat(event.getContainer().getId()).hasSize(64).endsWith("11");
        assertThat(event.getContainer().getPod().getUid()).isEqualTo("11111111-2222-3333-4444-555555555511");
        assertThat(event.getContainer().getQosClass()).isEqualTo(QosClass.QOS_CLASS_BURSTABLE);
        assertThat(event.getCertainty()).isEqualTo(OomKillEvent.Certainty.CONFIRMED);
        assertThat(event.getVictim().getAnonRssBytes()).isBetween(LIMIT_BYTES / 2, LIMIT_BYTES * 2);
    }

    @Test
    void cgroupsFilesAreReadAfterTheKillWhileTheyAreThere() {
        AfterKill afterKill = run.onlyEvent("container-limit").getAfterKill();
        assertThat(afterKill.getMaxBytes()).isEqualTo(LIMIT_BYTES);
        assertThat(afterKill.hasCurrentBytes()).isTrue();
        assertThat(afterKill.getPeakBytes()).isBetween(LIMIT_BYTES / 2, LIMIT_BYTES);
        assertThat(afterKill.getHighBytes()).as("max: no limit").isEqualTo(-1);
        assertThat(afterKill.getStatMap()).containsKeys("anon", "file", "slab");
        assertThat(afterKill.getEventsLocalMap()).containsEntry("oom_kill", 1L);
        assertThat(afterKill.getOomGroup()).isFalse();
        assertThat(run.victims("group").stream().map(run::eventOf))
                .first()
                .satisfies(
                        event -> assertThat(event.getAfterKill().getOomGroup()).isTrue());
    }

    @Test
    void whereTheCgroupsMemoryWasComesFromTheKernelsOwnReport() {
        Map<String, Long> printed = run.kernelLog().during("container-limit").memcgStats();
        OomKillEvent event = run.onlyEvent("container-limit");
        assertThat(event.getIncident().getMemcgStatsList()).singleElement().satisfies(stats -> {
            assertThat(stats.getCgroup()).isEqualTo(event.getIncident().getOomMemcg());
            assertThat(stats.getStatMap()).isEqualTo(printed).containsKeys("anon", "file", "slab", "pgfault");
        });
        MemoryBreakdown memory = event.getIncident().getMemory();
        assertThat(memory.getAnonBytes()).isEqualTo(printed.get("anon")).isGreaterThan(LIMIT_BYTES / 2);
        assertThat(memory.getFileBytes()).isEqualTo(printed.get("file"));
        assertThat(memory.getShmemBytes()).isEqualTo(printed.get("shmem"));
        assertThat(memory.getKernelBytes()).isEqualTo(printed.get("kernel"));
        assertThat(memory.getSlabBytes()).isEqualTo(printed.get("slab"));
        assertThat(memory.getPagetablesBytes()).isEqualTo(printed.get("pagetables"));
        assertThat(event.getIncident().hasNodeMemory())
                .as("Mem-Info, which a memory cgroup's report has not")
                .isFalse();
        assertThat(event.getIncident().getTasksList())
                .extracting(Task::getPid)
                .containsExactlyElementsOf(run.kernelLog().during("container-limit").tasks().stream()
                        .map(KernelLog.Task::pid)
                        .toList());
    }

    @Test
    void ofFiveThousandTasksTheHundredLargestAreToldAndTheRestCounted() {
        run.assertEveryKillCameOnce("long-report");
        List<KernelLog.Task> printed = run.kernelLog().during("long-report").tasks();
        assertThat(printed).hasSize(5001);
        OomKillEvent event = run.onlyEvent("long-report");
        Incident incident = event.getIncident();
        assertThat(incident.getReportBytesOmitted()).isZero();
        assertThat(incident.getTasksList()).hasSize(100).first().satisfies(largest -> {
            assertThat(largest.getPid()).isEqualTo(event.getVictim().getPid());
            assertThat(largest.getComm()).isEqualTo("one-of-many");
        });
        assertThat(incident.getTasksOmitted().getCount()).isEqualTo(printed.size() - 100);
        assertThat(incident.getTasksOmitted().getRssBytes()
                        + incident.getTasksList().stream()
                                .mapToLong(Task::getRssBytes)
                                .sum())
                .as("resident memory of all tasks")
                .isEqualTo(printed.stream().mapToLong(KernelLog.Task::rssPages).sum() * PAGE_BYTES);
        assertThat(incident.getMemory().getAnonBytes())
                .isEqualTo(run.kernelLog().during("long-report").memcgStats().get("anon"));
    }

    @Test
    void killAtThePodsLimitIsNotBlamedOnTheUnlimitedContainer() {
        run.assertEveryKillCameOnce("pod-limit");
        run.assertRightCgroups("pod-limit");
        OomKillEvent event = run.onlyEvent("pod-limit");
        assertThat(event.getScope()).isEqualTo(Scope.MEMCG);
        Limit limit = event.getIncident().getLimit();
        assertThat(limit.getOwner()).isEqualTo(Limit.Owner.POD);
        assertThat(event.getCgroupPath()).startsWith(limit.getCgroup() + "/");
        assertThat(event.getEvidenceList()).contains(OomKillEvent.Evidence.MEMORY_EVENTS_OOM);
        assertThat(limit.getLimitBytes()).isEqualTo(LIMIT_BYTES);
    }

    @Test
    void killBeforeTheAgentsFirstStartIsRecoveredFromTheRing() {
        run.assertEveryKillCameOnce("before-first-start");
        run.assertRightCgroups("before-first-start");
        assertThat(run.onlyEvent("before-first-start").getRecovered()).isTrue();
    }

    @Test
    void groupKillOfThreeIsThreeEventsThoughTheKernelCountsFour() {
        run.assertEveryKillCameOnce("group");
        run.assertRightCgroups("group");
        run.assertRightLimits("group", Limit.Owner.CONTAINER, victims -> victims);
        assertThat(run.kernelLog().during("group").killedPids())
                .as("records, the chosen victim twice")
                .hasSize(4);
        List<OomKillEvent> events =
                run.victims("group").stream().map(run::eventOf).toList();
        assertThat(events).hasSize(3);
        assertThat(events)
                .extracting(event -> event.getIncident().getId())
                .containsOnly(events.getFirst().getIncident().getId());
        assertThat(events)
                .allSatisfy(
                        event -> assertThat(event.getIncident().getGroupKill()).isTrue());
        assertThat(events)
                .extracting(event -> event.getIncident().getRepeatedKillRecords())
                .contains(1)
                .doesNotContain(2);
    }

    @Test
    void cgroupRemovedTheMomentItsProcessDiedIsStillNamed() {
        run.assertEveryKillCameOnce("removed-at-death");
        run.assertRightCgroups("removed-at-death");
    }

    @Test
    void cgroupsMadeKilledInAndRemovedAtOnceLoseNoKillAndGetNoWrongName() {
        run.assertEveryKillCameOnce("churn");
        run.assertNoWrongCgroup("churn");
        assertThat(run.victims("churn")).hasSize(20);
    }

    @Test
    void killOfAWorkerIsNotShownAsTheDeathOfItsMainProcess() {
        run.assertEveryKillCameOnce("child-of-main");
        run.assertRightCgroups("child-of-main");
        OomKillEvent event = run.onlyEvent("child-of-main");
        assertThat(event.getVictim().getComm()).isEqualTo("worker");
        assertThat(event.getVictim().hasIsContainerInit() && event.getVictim().getIsContainerInit())
                .isFalse();
    }

    @Test
    void namesThatLookLikeTheKernelsOwnPunctuationComeOutAsTheyWere() {
        run.assertEveryKillCameOnce("strange-names");
        run.assertRightCgroups("strange-names");
        assertThat(run.victims("strange-names"))
                .extracting(Truth.Process::comm)
                .containsExactly("a) (b", "x,task=y,pid=1", "日本語です", "new\nline");
    }

    @Test
    void ordinaryKillNineIsNoEvent() {
        run.assertEveryKillCameOnce("ordinary-kill");
        assertThat(run.truth().of("ordinary-kill")).hasSize(1);
    }

    @Test
    void linesWrittenToKmsgByAProgramAreNoEvent() {
        run.assertEveryKillCameOnce("spoof");
        assertThat(run.kernelLog().during("spoof").lines())
                .as("the spoofed line is in the log, by another facility than the kernel's")
                .anySatisfy(line -> {
                    assertThat(line.text()).contains("Killed process 1 (spoofed) total-vm:");
                    assertThat(line.isFromKernel()).isFalse();
                });
        assertThat(run.events().received())
                .extracting(event -> event.getVictim().getComm())
                .doesNotContain("spoofed");
    }

    @Test
    void ofTwoProcessesWithOneAddressSpaceTheOneThatTheKernelNamesIsTheEvent() {
        run.assertEveryKillCameOnce("shared-mm");
        run.assertRightCgroups("shared-mm");
        assertThat(run.truth().of("shared-mm")).hasSize(2);
        assertThat(run.victims("shared-mm")).hasSize(1);
    }

    @Test
    void stormOfFortyLosesNoKillThoughTheKernelPrintsFewerSummaries() {
        run.assertEveryKillCameOnce("storm");
        run.assertNoWrongCgroup("storm");
        run.assertRightLimits("storm", Limit.Owner.CGROUP, victims -> victims);
        assertThat(run.victims("storm")).hasSize(40);
        assertThat(run.kernelLog().during("storm").summaryPids())
                .as("summaries that the rate limit let pass")
                .hasSizeLessThan(40);
        assertThat(run.victims("storm").stream().map(run::eventOf).map(OomKillEvent::getIncident))
                .filteredOn(incident -> incident.hasMemory() && incident.getMemcgStatsCount() == 0)
                .allSatisfy(incident -> {
                    assertThat(incident.hasMemorySample())
                            .as("no report was printed")
                            .isTrue();
                    assertThat(incident.getMemory().getAnonBytes())
                            .as("the victim lived")
                            .isGreaterThan(LIMIT_BYTES / 4);
                });
    }

    @Test
    void stormAtTheLimitsOfFortyPodsNamesEachPodThoughTheKernelPrintsNoLineOfMost() {
        run.assertEveryKillCameOnce("storm-of-pods");
        run.assertNoWrongCgroup("storm-of-pods");
        run.assertRightLimits(
                "storm-of-pods", Limit.Owner.POD, container -> container.substring(0, container.lastIndexOf('/')));
        assertThat(run.victims("storm-of-pods")).hasSize(40);
        assertThat(run.kernelLog().during("storm-of-pods").summaryPids()).hasSizeLessThan(20);
    }

    @Test
    void stormWhoseDeadNobodyReapsGetsFortyRightCgroups() {
        run.assertEveryKillCameOnce("storm-of-zombies");
        run.assertRightCgroups("storm-of-zombies");
        run.assertRightLimits("storm-of-zombies", Limit.Owner.CGROUP, victims -> victims);
        assertThat(run.victims("storm-of-zombies")).hasSize(40);
        assertThat(run.kernelLog().during("storm-of-zombies").summaryPids()).hasSizeLessThan(40);
    }

    @Test
    void killsWhileTheAgentWasDownAreRecoveredAndNoneComesTwice() {
        assertThat(run.victims("before-restart")).hasSize(1);
        run.eventOf(run.victims("before-restart").getFirst());
        run.assertEveryKillCameOnce("while-down");
        run.assertNoWrongCgroup("while-down");
        assertThat(run.victims("while-down"))
                .hasSize(5)
                .map(run::eventOf)
                .allSatisfy(event -> assertThat(event.getRecovered())
                        .as("recovered: %s", event)
                        .isTrue());
        run.assertEveryKillCameOnce("after-restart");
        run.assertRightCgroups("after-restart");
        assertThat(run.victims("after-restart"))
                .hasSize(2)
                .map(run::eventOf)
                .allSatisfy(event -> assertThat(event.getRecovered())
                        .as("recovered: %s", event)
                        .isFalse());
    }

    @Test
    void agentKilledInAStormMissesNothingAndTellsNothingTwice() {
        run.assertEveryKillCameOnce("storm-at-crash");
        run.assertNoWrongCgroup("storm-at-crash");
        assertThat(run.victims("storm-at-crash")).hasSize(40);
    }

    @Test
    void noRevisionOfAnEventCameTwice() {
        assertThat(run.events().received())
                .extracting(event -> event.getEventId() + " revision " + event.getRevision())
                .doesNotHaveDuplicates();
    }

    @Test
    void everyEventIsAKillThatHappened() {
        Set<Integer> killed = new HashSet<>(run.kernelLog().killedPids());
        assertThat(run.events().latest())
                .allSatisfy(
                        event -> assertThat(killed).contains(event.getVictim().getPid()));
        assertThat(run.events().latest()).hasSameSizeAs(killed);
    }

    @Test
    void everyCgroupThatStayedEmptyIsCountedAndNothingElseWasLost() {
        long empty = run.events().latest().stream()
                .filter(event -> event.getCgroupPath().isEmpty())
                .count();
        var losses = run.nodeAfter("storm-at-crash").getStatus().getLosses();
        assertThat(losses.getKillsAmbiguous() + losses.getKillsUnattributed())
                .as("kills without a cgroup; one that a later revision names stays counted")
                .isGreaterThanOrEqualTo(empty);
        assertThat(losses.getKmsgOverruns()).isZero();
        assertThat(losses.getKillsWithoutRecord()).isZero();
    }

    @Test
    void listAnswersWithWhatTheStreamBrought() {
        assertThat(run.list().received())
                .extracting(OomKillEvent::getEventId)
                .hasSameElementsAs(run.events().received().stream()
                        .map(OomKillEvent::getEventId)
                        .collect(Collectors.toSet()));
    }
}
