package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.Losses;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Certainty;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A boot with a small ring: the records of a kill are overwritten before the agent reads them. */
@Tag("kernel")
class OverrunOnUmlTest {
    private static UmlRun run;

    @BeforeAll
    static void boot() {
        run = UmlBed.boot("overrun", 1024, "16K", Duration.ofMinutes(20));
    }

    @Test
    void recordsOverwrittenWhileTheAgentStoodStillAreCountedToTheLast() {
        Losses before = lossesAfter("start");
        Losses after = lossesAfter("overrun");
        assertThat(before.getKmsgRecordsOverwritten()).isZero();
        assertThat(after.getKmsgOverruns() - before.getKmsgOverruns())
                .as("EPIPE")
                .isEqualTo(1);
        assertThat(after.getKmsgRecordsOverwritten())
                .isEqualTo(overwrittenDuring("overrun"))
                .isPositive();
    }

    @Test
    void recordsOverwrittenWhileTheAgentWasDownAreCountedToTheLast() {
        long before = lossesAfter("kills-in-flood").getKmsgRecordsOverwritten();
        assertThat(lossesAfter("overrun-while-down").getKmsgRecordsOverwritten() - before)
                .isEqualTo(overwrittenDuring("overrun-while-down"))
                .isPositive();
    }

    @Test
    void killsWhoseRecordsWereOverwrittenAreReportedFromTheCountersAlone() {
        assertToldAsFarAsTheRingGoes("overrun");
        assertThat(lossesAfter("overrun").getKillsWithoutRecord()).isEqualTo(3);
    }

    @Test
    void killsOverwrittenWhileTheAgentWasDownAreReportedOnceAfterItsStart() {
        assertToldAsFarAsTheRingGoes("overrun-while-down");
        assertThat(eventsFor("overrun-while-down"))
                .extracting(OomKillEvent::getRecovered)
                .containsOnly(true);
    }

    @Test
    void reportLongerThanTheRingIsToldFromItsEnd() {
        OomKillEvent event = run.eventOf(run.truth().of("larger-than-ring").getFirst());
        assertThat(event.getVictim().getComm()).isEqualTo("last-line");
        assertThat(event.getCgroupPath()).isEqualTo("/crowd/larger-than-ring");
        assertThat(event.getConstraint()).isEqualTo("CONSTRAINT_MEMCG");
        assertThat(event.getCertainty()).isEqualTo(Certainty.CONFIRMED);
        assertThat(event.getIncident().hasTrigger())
                .as("trigger, whose line was overwritten")
                .isFalse();
    }

    @Test
    void ofKillsInAFloodEachIsToldOnceByItsRecordOrByItsCounter() {
        run.assertBalanceHoldsAfter("kills-in-flood");
        List<Truth.Process> victims = run.truth().of("kills-in-flood");
        List<OomKillEvent> events = eventsFor("kills-in-flood");
        assertThat(events)
                .extracting(OomKillEvent::getCgroupPath)
                .as("cgroups, each with one kill")
                .doesNotHaveDuplicates()
                .isSubsetOf(victims.stream().map(Truth.Process::cgroup).toList());
        assertThat(events).filteredOn(event -> !event.hasVictim()).isNotEmpty().allSatisfy(event -> {
            assertThat(event.getEvidenceList()).containsExactly(Evidence.MEMORY_EVENTS, Evidence.MEMORY_EVENTS_OOM);
            assertThat(event.getIncident().getLimit().getCgroup()).isEqualTo(event.getCgroupPath());
        });
        assertThat(events)
                .filteredOn(OomKillEvent::hasVictim)
                .allSatisfy(event -> assertThat(victims).anySatisfy(victim -> {
                    assertThat(victim.pid()).isEqualTo(event.getVictim().getPid());
                    assertThat(victim.comm()).isEqualTo(event.getVictim().getComm());
                    assertThat(victim.cgroup()).isEqualTo(event.getCgroupPath());
                }));
    }

    @Test
    void killAfterAnOverrunIsToldInFull() {
        run.assertEveryKillCameOnce("after-overrun");
        OomKillEvent event = run.onlyEvent("after-overrun");
        assertThat(event.getCertainty()).isEqualTo(Certainty.CONFIRMED);
        assertThat(event.getIncident().hasTrigger()).isTrue();
    }

    @Test
    void everyKillIsOneEventAndThoseWithoutARecordAreCounted() {
        assertThat(kills()).hasSize((int) run.truth().endOf("after-overrun").vmstatOomKill());
        assertThat(lossesAfter("after-overrun").getKillsWithoutRecord())
                .isEqualTo(kills().stream().filter(event -> !event.hasVictim()).count());
        assertThat(run.events().received())
                .extracting(event -> event.getEventId() + " revision " + event.getRevision())
                .doesNotHaveDuplicates();
    }

    private static Losses lossesAfter(String scenario) {
        return run.nodeAfter(scenario).getStatus().getLosses();
    }

    /** Returns the number of records from the first that the agent did not read to the first that the ring still had. */
    private static long overwrittenDuring(String scenario) {
        return run.oldestSequenceAfter(scenario)
                - run.kernelLog().during(scenario).firstSequence();
    }

    /** Returns the kills. An event with another outcome is of a report that was cut in the middle: it adds no kill. */
    private static List<OomKillEvent> kills() {
        return run.events().latest().stream()
                .filter(event -> event.getOutcome() == Outcome.KILLED)
                .toList();
    }

    /**
     * Returns the kills of the scenario, with cgroups below its own one; kills without a known cgroup are not among them.
     */
    private static List<OomKillEvent> eventsFor(String scenario) {
        Set<Integer> pids =
                run.truth().of(scenario).stream().map(Truth.Process::pid).collect(Collectors.toSet());
        return kills().stream()
                .filter(event -> event.getCgroupPath().startsWith("/" + scenario + "/"))
                .filter(event ->
                        !event.hasVictim() || pids.contains(event.getVictim().getPid()))
                .toList();
    }

    /** By the kernel's log: a kill before the oldest record of the ring has a counter, the one after it has both. */
    private static void assertToldAsFarAsTheRingGoes(String scenario) {
        run.assertBalanceHoldsAfter(scenario);
        KernelLog log = run.kernelLog().during(scenario);
        Set<Integer> readable =
                Set.copyOf(log.from(run.oldestSequenceAfter(scenario)).killedPids());
        List<Truth.Process> victims = run.truth().of(scenario);
        assertThat(log.killedPids())
                .as("all victims")
                .containsExactlyElementsOf(
                        victims.stream().map(Truth.Process::pid).toList());
        assertThat(victims)
                .filteredOn(victim -> readable.contains(victim.pid()))
                .extracting(Truth.Process::comm)
                .as("victims that the ring still names")
                .containsExactly("told");

        List<OomKillEvent> told = eventsFor(scenario);
        assertThat(told).filteredOn(OomKillEvent::hasVictim).singleElement().satisfies(event -> {
            assertThat(event.getVictim().getComm()).isEqualTo("told");
            assertThat(event.getCgroupPath()).isEqualTo("/" + scenario + "/told");
            assertThat(event.getEvidenceList())
                    .containsExactlyInAnyOrder(
                            Evidence.KMSG_SUMMARY,
                            Evidence.KMSG_KILLED,
                            Evidence.MEMORY_EVENTS,
                            Evidence.MEMORY_EVENTS_OOM);
            assertThat(event.getCertainty()).isEqualTo(Certainty.CONFIRMED);
        });
        List<OomKillEvent> lost =
                told.stream().filter(event -> !event.hasVictim()).toList();
        assertThat(lost)
                .extracting(OomKillEvent::getCgroupPath)
                .containsExactlyInAnyOrder("/" + scenario + "/lost", "/" + scenario + "/lost");
        assertThat(lost).allSatisfy(event -> {
            assertThat(event.getEvidenceList()).containsExactly(Evidence.MEMORY_EVENTS, Evidence.MEMORY_EVENTS_OOM);
            assertThat(event.getScope()).isEqualTo(Scope.MEMCG);
            assertThat(event.getIncident().getLimit().getCgroup()).isEqualTo(event.getCgroupPath());
            assertThat(event.getCertainty()).isEqualTo(Certainty.SINGLE_SOURCE);
            assertThat(event.getConstraint()).isEmpty();
            assertThat(event.getIncident().hasTrigger()).isFalse();
        });
    }
}
