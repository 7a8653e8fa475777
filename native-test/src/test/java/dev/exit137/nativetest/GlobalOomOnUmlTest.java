package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import java.time.Duration;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** A boot with so little memory that the node itself runs out of it. */
class GlobalOomOnUmlTest {
  private static UmlRun run;

  @BeforeAll
  static void boot() {
    run = UmlBed.boot("global", 512, Duration.ofMinutes(4));
  }

  @Test
  void nodeOutOfMemoryIsTheNodesAndStillNamesThePod() {
    run.assertEveryKillCameOnce("global");
    run.assertRightCgroups("global");
    OomKillEvent event = run.onlyEvent("global");
    assertThat(event.getScope()).isEqualTo(Scope.GLOBAL);
    assertThat(event.getConstraint()).isEqualTo("CONSTRAINT_NONE");
    assertThat(event.getIncident().getOomMemcg()).isEmpty();
    assertThat(event.getIncident().getLimit().getOwner()).isEqualTo(Limit.Owner.NODE);
    assertThat(event.getIncident().getLimit().getCgroup()).isEmpty();
    assertThat(event.getVictim().getOomScoreAdj()).isEqualTo(1000);
    assertThat(event.getContainer().getPod().getUid()).isEqualTo("11111111-2222-3333-4444-555555555513");
  }
}
