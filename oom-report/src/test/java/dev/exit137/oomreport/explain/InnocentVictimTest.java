package dev.exit137.oomreport.explain;

import static dev.exit137.oomreport.explain.Reports.GIB;
import static dev.exit137.oomreport.explain.Reports.MIB;
import static dev.exit137.oomreport.explain.Reports.global;
import static dev.exit137.oomreport.explain.Reports.memcg;
import static dev.exit137.oomreport.explain.Reports.task;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.OomKillEvent;
import org.junit.jupiter.api.Test;

/** Who is called innocent is woken up for: so it must be proved. */
class InnocentVictimTest {
    @Test
    void whoeverFilledItsOwnLimitIsNot() {
        assertThat(isInnocent(memcg())).isFalse();
        OomKillEvent.Builder small = memcg();
        small.getVictimBuilder().setAnonRssBytes(MIB);
        assertThat(isInnocent(small)).as("its own limit, whatever it held").isFalse();
    }

    @Test
    void atASharedLimitItIsWhoHeldNextToNothing() {
        assertThat(isInnocent(shared(10 * MIB))).isTrue();
    }

    @Test
    void atASharedLimitWhoHeldAThirdIsOnlyIfAnotherHeldMore() {
        OomKillEvent.Builder third = shared(170 * MIB);
        assertThat(isInnocent(third)).as("nobody knows what the others held").isFalse();
        third.getIncidentBuilder().addTasks(task(4711, "mysqld", 170 * MIB, 0)).addTasks(task(5, "redis", 60 * MIB, 0));
        assertThat(isInnocent(third)).as("it was the largest").isFalse();
        third.getIncidentBuilder().addTasks(task(6, "java", 200 * MIB, 0));
        assertThat(isInnocent(third)).isTrue();
    }

    @Test
    void whoHeldMostOfASharedLimitIsNot() {
        OomKillEvent.Builder most = shared(300 * MIB);
        most.getIncidentBuilder().addTasks(task(6, "java", 301 * MIB, 0));
        assertThat(isInnocent(most)).isFalse();
    }

    @Test
    void whoDiesWithItsGroupWasNotChosen() {
        OomKillEvent.Builder group = shared(MIB);
        group.getIncidentBuilder().setGroupKill(true);
        assertThat(isInnocent(group)).isFalse();
    }

    @Test
    void onAFullNodeItIsWhoHeldLessThanItsContainerHadRequested() {
        OomKillEvent.Builder event = global();
        event.getContainerBuilder().setMemoryRequestEstimateBytes(10 * GIB).setMemoryRequestErrorBytes(16 * MIB);
        assertThat(isInnocent(event)).isTrue();
        event.getContainerBuilder().setMemoryRequestEstimateBytes(GIB);
        assertThat(isInnocent(event)).isFalse();
    }

    @Test
    void onAFullNodeWithoutRequestsItIsWhoWasMuchSmallerThanAnother() {
        OomKillEvent.Builder event = global();
        event.getIncidentBuilder().addTasks(task(815, "java", 6 * GIB, 0));
        assertThat(isInnocent(event)).as("the largest").isFalse();
        event.getIncidentBuilder().addTasks(task(5, "redis", 9 * GIB, -500));
        assertThat(isInnocent(event)).isTrue();
    }

    @Test
    void whoeverIsKilledBySysrqIsNoVictimOfOthers() {
        OomKillEvent.Builder event = global();
        event.getVictimBuilder().setAnonRssBytes(MIB);
        event.getIncidentBuilder().getTriggerBuilder().setOrder(-1);
        assertThat(isInnocent(event)).isFalse();
    }

    @Test
    void withoutAReportNobodyIs() {
        OomKillEvent.Builder event = shared(MIB);
        event.getIncidentBuilder().clearLimit();
        assertThat(isInnocent(event)).isFalse();
        assertThat(isInnocent(OomKillEvent.newBuilder())).isFalse();
    }

    /** At the limit of /pod, 512 MiB, above its own cgroup. */
    private static OomKillEvent.Builder shared(long heldBytes) {
        OomKillEvent.Builder event = memcg();
        event.getVictimBuilder().setAnonRssBytes(heldBytes);
        event.getIncidentBuilder()
                .setOomMemcg("/pod")
                .setTaskMemcg("/pod/db")
                .getLimitBuilder()
                .setCgroup("/pod");
        return event;
    }

    private static boolean isInnocent(OomKillEvent.Builder event) {
        return Explainer.isInnocentVictim(event);
    }
}
