package dev.exit137.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.cli.Events;
import dev.exit137.proto.v1.OomKillEvent;
import org.junit.jupiter.api.Test;

class ExpectedKillTest {
    private final ExpectedKill kill = new ExpectedKill(7, "tail", "/scratch");

    @Test
    void theRightEventHasNoMistakes() {
        OomKillEvent event = Events.inCgroup(7).build();
        assertThat(kill.isMeantBy(event)).isTrue();
        assertThat(kill.mistakes(event)).isEmpty();
    }

    @Test
    void anotherProcessKilledMeanwhileIsNotMeant() {
        assertThat(kill.isMeantBy(Events.inCgroup(8).build())).isFalse();
    }

    @Test
    void anOldKillOfTheSamePidReadFromTheRingIsNotMeant() {
        assertThat(kill.isMeantBy(Events.inCgroup(7).setRecovered(true).build()))
                .isFalse();
    }

    @Test
    void anEventWithoutTheCgroupOrWithAnotherScopeIsWrongAndSaysWhere() {
        OomKillEvent event = Events.inCgroup(7)
                .clearCgroupPath()
                .setScope(OomKillEvent.Scope.GLOBAL)
                .build();
        assertThat(kill.mistakes(event))
                .containsExactly(
                        "cgroupPath is '' and should be '/scratch'", "scope is 'GLOBAL' and should be 'MEMCG'");
    }
}
