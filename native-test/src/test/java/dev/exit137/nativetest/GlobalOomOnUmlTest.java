package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import java.time.Duration;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A boot with so little memory that the node itself runs out of it. */
@Tag("kernel")
class GlobalOomOnUmlTest {
    private static final long PAGE_BYTES = 4096;

    private static UmlRun run;

    @BeforeAll
    static void boot() {
        run = UmlBed.boot("global", 512, Duration.ofMinutes(20));
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

    @Test
    void whereTheNodesMemoryWasComesFromTheKernelsOwnReport() {
        KernelLog printed = run.kernelLog().during("global");
        Incident incident = run.onlyEvent("global").getIncident();
        assertThat(incident.getNodeMemory().getRamBytes()).isEqualTo(printed.number("^(\\d+) pages RAM") * PAGE_BYTES);
        assertThat(incident.getNodeMemory().getCountersMap())
                .containsEntry("inactive_anon", printed.number("(?<!\\S)inactive_anon:(\\d++)(?!kB)") * PAGE_BYTES)
                .containsEntry("slab_unreclaimable", printed.number("(?<!\\S)slab_unreclaimable:(\\d+)") * PAGE_BYTES);
        assertThat(incident.getMemory().getFreeBytes())
                .isEqualTo(printed.number("(?<!\\S)free:(\\d++)(?!kB)") * PAGE_BYTES);
        assertThat(incident.getMemory().getFileBytes())
                .isEqualTo(printed.number("^(\\d+) total pagecache pages") * PAGE_BYTES);
        assertThat(incident.getNodeMemory().getZonesList())
                .singleElement()
                .satisfies(zone -> assertThat(zone.getName()).isEqualTo("Normal"));
        assertThat(incident.getMemcgStatsList()).isEmpty();
        assertThat(incident.getTasksList())
                .hasSameSizeAs(printed.tasks())
                .first()
                .satisfies(largest -> assertThat(largest.getComm()).isEqualTo("glutton"));
    }
}
