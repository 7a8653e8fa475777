package dev.exit137.cli.render;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.cli.Events;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EventLineTest {
    private static String line(OomKillEvent.Builder event) {
        return EventLine.of(event.build(), ZoneOffset.UTC);
    }

    @Test
    void theColumnsStandUnderTheirNames() {
        assertThat(EventLine.header(ZoneOffset.UTC, Instant.EPOCH))
                .isEqualTo("TIME (UTC)               NODE            WHERE                               "
                        + "VICTIM                         HELD  LIMIT                 EVENT");
        assertThat(line(Events.inCgroup(4711)))
                .isEqualTo("2026-05-01 12:30:00.125  node-1          /scratch                            "
                        + "tail(4711)                 31.4 MiB  cgroup 32.0 MiB       boot/kmsg/4711");
    }

    @Test
    void theHeaderSaysHowFarTheTimesAreFromUtc() {
        assertThat(EventLine.header(ZoneId.of("Asia/Kolkata"), Instant.EPOCH)).startsWith("TIME (+05:30)   ");
    }

    @Test
    void aVictimAtItsPodsLimitIsShownByPodAndContainerAndTheLimitAsThePods() {
        assertThat(line(Events.inPod().setCgroupPath("/kubepods/pod1-2-3/0123456789ab")))
                .isEqualTo("2026-05-01 12:30:00.125  node-1          shop/cart-0/app                     "
                        + "java(4242)                  2.0 GiB  pod 3.0 GiB           boot/kmsg/4242");
    }

    @Test
    void aLimitElsewhereIsNamedByItsCgroup() {
        OomKillEvent.Builder event = Events.inPod().setCgroupPath("/kubepods/pod1-2-30/app");
        assertThat(line(event)).contains("  pod 3.0 GiB /kubepods/pod1-2-3  boot/kmsg/4242");
    }

    @Test
    void aPodWhoseNameIsNotKnownIsShownByItsUidAndAContainerByItsShortId() {
        OomKillEvent.Builder event = Events.inPod();
        event.getContainerBuilder().clearName().getPodBuilder().clearName().clearNamespace();
        assertThat(EventLine.where(event.build())).isEqualTo("pod 1-2-3/0123456789ab");
        event.getContainerBuilder().clearPod();
        assertThat(EventLine.where(event.build())).isEqualTo("containerd 0123456789ab");
    }

    @Test
    void anOomOfTheNodeBlamesNoCgroup() {
        OomKillEvent.Builder event = Events.inCgroup(1).setScope(OomKillEvent.Scope.GLOBAL);
        event.getIncidentBuilder().setLimit(Limit.newBuilder().setOwner(Limit.Owner.NODE));
        assertThat(line(event)).contains("  the node's memory     boot/kmsg/1");
    }

    @ParameterizedTest
    @CsvSource({
        "NO_KILLABLE_PROCESS, nothing to kill",
        "PANIC, none: kernel panic",
        "KILL_NOT_SEEN, kill not seen",
        "KILLED, unknown process",
    })
    void anOomWithoutAVictimSaysSoAndInventsNone(OomKillEvent.Outcome outcome, String text) {
        OomKillEvent event =
                Events.inCgroup(1).setOutcome(outcome).clearVictim().build();
        assertThat(EventLine.victim(event)).isEqualTo(text);
        assertThat(EventLine.held(event)).isEqualTo("-");
    }

    @Test
    void severalCgroupsThatFitAreCountedAndMarkedAndNoneIsPicked() {
        assertThat(line(Events.inCgroup(1)
                        .clearCgroupPath()
                        .addCandidates("/a")
                        .addCandidates("/b")
                        .setCertainty(OomKillEvent.Certainty.AMBIGUOUS)
                        .setRecovered(true)
                        .setRevision(2)))
                .contains("  one of 2 cgroups  ")
                .endsWith("  [recovered]  [ambiguous]  [revision 2]");
    }

    @Test
    void controlCharactersInANameDoNotReachTheTerminal() {
        OomKillEvent.Builder event = Events.inCgroup(1).setCgroupPath("/a\nb");
        event.getVictimBuilder().setComm("x\u001b[2J");
        assertThat(line(event))
                .contains("/a\\x0ab")
                .contains("x\\x1b[2J(1)")
                .doesNotContain("\u001b")
                .doesNotContain("\n");
    }

    @Test
    void timesAreLocal() {
        assertThat(EventLine.of(Events.inCgroup(1).build(), ZoneId.of("Asia/Tokyo")))
                .startsWith("2026-05-01 21:30:00.125");
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0 B",
        "1023, 1023 B",
        "1024, 1.0 KiB",
        "33554432, 32.0 MiB",
        "1073690000, 1.0 GiB",
        "9223372036854771712, 8.0 EiB",
        "-1, unlimited",
        "-4096, 16.0 EiB",
    })
    void sizesAreReadable(long bytes, String text) {
        assertThat(Text.bytes(bytes)).isEqualTo(text);
    }
}
