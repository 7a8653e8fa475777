package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.SourceStatus;
import java.time.Duration;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A boot in which the kernel gives the agent too few watches, and then too short a queue: all kills are still reported.
 */
@Tag("kernel")
class ScarceInotifyOnUmlTest {
    private static UmlRun run;

    @BeforeAll
    static void boot() {
        run = UmlBed.boot("scarce", 1024, Duration.ofMinutes(20));
    }

    @Test
    void watchesThatTheKernelRefusesAreSaidAloudAndScanningTakesTheirPlace() {
        run.assertEveryKillCameOnce("storm");
        run.assertNoWrongCgroup("storm");
        AgentStatus status = run.nodeAfter("storm").getStatus();
        assertThat(status.getLosses().getInotifyWatchesRefused()).isPositive();
        assertThat(status.getSourcesList())
                .filteredOn(source -> source.getName().equals("memory.events"))
                .singleElement()
                .satisfies(source -> {
                    assertThat(source.getState()).isEqualTo(SourceStatus.State.DEGRADED);
                    assertThat(source.getDetail()).contains("fs.inotify.max_user_watches");
                });
    }

    @Test
    void aQueueThatOverflowsIsCountedAndLosesNoKill() {
        run.assertEveryKillCameOnce("churn");
        // The agent never saw some of these cgroups, so they cannot be among the candidates.
        assertThat(run.victims("churn"))
                .allSatisfy(victim ->
                        assertThat(run.eventOf(victim).getCgroupPath()).isIn("", victim.cgroup()));
        assertThat(run.nodeAfter("churn").getStatus().getLosses().getInotifyOverflows())
                .isPositive();
    }
}
