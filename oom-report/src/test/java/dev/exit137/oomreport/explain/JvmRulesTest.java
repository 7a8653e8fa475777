package dev.exit137.oomreport.explain;

import static dev.exit137.oomreport.explain.Reports.KIB;
import static dev.exit137.oomreport.explain.Reports.MIB;
import static dev.exit137.oomreport.explain.Reports.explanation;
import static dev.exit137.oomreport.explain.Reports.memcg;
import static dev.exit137.oomreport.explain.Reports.recommendations;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.Jvm;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import org.junit.jupiter.api.Test;

/** A Java virtual machine, killed at a limit of 512 MiB. */
class JvmRulesTest {
    @Test
    void heapThatNearlyFillsTheLimitLeavesTooLittleForTheRest() {
        OomKillEvent.Builder event = jvm("-Xmx480m", 480 * MIB, 470 * MIB);
        assertThat(explanation(event))
                .endsWith(
                        ". -Xmx480m in the limit of 512.0 MiB leaves 32.0 MiB for metaspace, threads, code and buffers.");
        assertThat(recommendations(event))
                .contains(
                        "Keep the Java heap well below the limit (-Xmx, -XX:MaxRAMPercentage), or raise the limit: -Xmx480m "
                                + "leaves 32.0 MiB of 512.0 MiB");
    }

    @Test
    void shareOfTheLimitIsShownAsASizeToo() {
        assertThat(explanation(jvm("-XX:MaxRAMPercentage=90.0", 460 * MIB, 450 * MIB)))
                .contains(
                        "-XX:MaxRAMPercentage=90.0 (460.0 MiB) in the limit of 512.0 MiB leaves 52.0 MiB for metaspace");
    }

    @Test
    void heapThatMayOutgrowTheLimitIsWhy() {
        OomKillEvent.Builder event = jvm("-Xmx1g", 1024 * MIB, 500 * MIB);
        assertThat(explanation(event)).endsWith(" -Xmx1g lets the Java heap alone grow to the limit of 512.0 MiB.");
        assertThat(recommendations(event))
                .anyMatch(advice -> advice.endsWith(": -Xmx1g is 1.0 GiB, the limit 512.0 MiB"));
    }

    @Test
    void whatIsHeldBesideTheHeapIsCounted() {
        OomKillEvent.Builder event = jvm("-Xmx256m", 256 * MIB, 500 * MIB);
        assertThat(explanation(event))
                .endsWith(
                        " -Xmx256m in the limit of 512.0 MiB leaves 256.0 MiB for all but the Java heap, of which it held "
                                + "244.0 MiB at least.");
        assertThat(recommendations(event))
                .contains(
                        "Bound what the JVM holds beside its heap (metaspace, direct buffers, threads, code), or raise the "
                                + "limit: mysqld (pid 4711) held 500.0 MiB, 244.0 MiB more than its largest heap (-Xmx256m)");
    }

    @Test
    void lastOfTheHeapsFlagsIsTheOneThatCounts() {
        OomKillEvent.Builder event = jvm("-Xmx100m", 480 * MIB, 470 * MIB);
        event.getContainerBuilder()
                .getJvmBuilder()
                .addMemoryFlags("-Xmx480m")
                .addMemoryFlags("-XX:MaxRAMPercentage=50");
        assertThat(explanation(event)).contains(". -Xmx480m in the limit of");
    }

    @Test
    void heapWithEnoughRoomBesideItIsNotBlamed() {
        assertThat(explanation(jvm("-Xmx300m", 300 * MIB, 290 * MIB))).doesNotContain("-Xmx");
    }

    @Test
    void jvmThatHeldLittleIsNotBlamed() {
        assertThat(explanation(jvm("-Xmx480m", 480 * MIB, 200 * MIB))).doesNotContain("-Xmx");
    }

    @Test
    void anotherProcessOfItsContainerIsNoJvm() {
        OomKillEvent.Builder event = jvm("-Xmx480m", 480 * MIB, 470 * MIB);
        event.getVictimBuilder().setPid(4712);
        assertThat(explanation(event)).doesNotContain("-Xmx");
    }

    @Test
    void withoutALimitOrASizeNothingIsSaid() {
        OomKillEvent.Builder noLimit = jvm("-Xmx480m", 480 * MIB, 470 * MIB);
        noLimit.getIncidentBuilder().getLimitBuilder().clearLimitBytes();
        assertThat(explanation(noLimit)).doesNotContain("-Xmx");
        OomKillEvent.Builder noHeap = jvm("-Xmx480m", 480 * MIB, 470 * MIB);
        noHeap.getContainerBuilder().getJvmBuilder().clearMaxHeapBytes();
        assertThat(explanation(noHeap)).doesNotContain("-Xmx");
        assertThat(explanation(jvm("-Xmx480m", 480 * MIB, 470 * MIB).setScope(Scope.GLOBAL)))
                .doesNotContain("-Xmx");
    }

    private static OomKillEvent.Builder jvm(String flag, long maxHeapBytes, long heldBytes) {
        OomKillEvent.Builder event = memcg();
        event.getVictimBuilder().setAnonRssBytes(heldBytes).setShmemRssBytes(0).setFileRssBytes(4 * KIB);
        event.getContainerBuilder()
                .setJvm(Jvm.newBuilder().setPid(4711).addMemoryFlags(flag).setMaxHeapBytes(maxHeapBytes));
        return event;
    }
}
