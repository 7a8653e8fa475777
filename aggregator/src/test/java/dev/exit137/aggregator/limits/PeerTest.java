package dev.exit137.aggregator.limits;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.exit137.aggregator.server.Refusals;
import io.grpc.Status;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class PeerTest {
    private final AtomicLong nanos = new AtomicLong(Long.MAX_VALUE - 5);
    private final Refusals refusals = new Refusals();
    private final Peers peers = new Peers(new PeerLimits(2, 5, 3), refusals, nanos::get);
    private final Peer peer = new Peer("10.0.0.7", peers);

    @Test
    void theDefaultsAreTheDocumentedOnes() {
        assertThat(PeerLimits.DEFAULT).isEqualTo(new PeerLimits(256, 100, 1000));
    }

    @Test
    void aNegativeLimitIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new PeerLimits(0, -3, 0))
                .withMessageContaining("requests per second is -3");
    }

    @Test
    void aPeerThatAskedSeldomMayAskTenSecondsWorthAtOnceAndThenAtItsRate() {
        assertThat(callsUntilRefused()).isEqualTo(50);

        nanos.addAndGet(TimeUnit.SECONDS.toNanos(2));

        assertThat(callsUntilRefused()).isEqualTo(10);
        assertThat(refusals.count(Refusals.Reason.PEER_LIMIT)).isEqualTo(2);
    }

    @Test
    void aRestOfAYearGathersNoMoreThanTheBurst() {
        callsUntilRefused();

        nanos.addAndGet(TimeUnit.DAYS.toNanos(365));

        assertThat(callsUntilRefused()).isEqualTo(50);
    }

    @Test
    void anAgentThatComesBackMaySendAMinutesWorthAtOnceAndALargeMessageCountsAsSeveral() {
        for (int i = 0; i < 100; i++) {
            assertThat(peer.sent(15 << 10)).isEmpty();
        }
        assertThat(peer.sent(79 * (16 << 10))).as("80 are left").isEmpty();

        Status refused = peer.sent(0).orElseThrow();

        assertThat(refused.getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
        assertThat(refused.getDescription())
                .isEqualTo(
                        "10.0.0.7 sends more than 3 events a second (--peer-max-events-per-second of the aggregator); "
                                + "send them again later");
        assertThat(refusals.count(Refusals.Reason.PEER_LIMIT)).isEqualTo(1);
    }

    @Test
    void aMessageThatCostsMoreThanTheWholeBurstIsNotRefusedForEver() {
        assertThat(peer.sent(Integer.MAX_VALUE)).isEmpty();
        assertThat(peer.sent(Integer.MAX_VALUE)).isPresent();
        nanos.addAndGet(TimeUnit.MINUTES.toNanos(1));
        assertThat(peer.sent(Integer.MAX_VALUE)).isEmpty();
    }

    @Test
    void streamsOfAgentsAndWatchesAreCountedApartAndAnEndedOneMakesRoom() {
        assertThat(peer.begun(PeerRule.WATCHES)).isEmpty();
        assertThat(peer.begun(PeerRule.WATCHES)).isEmpty();
        assertThat(peer.begun(PeerRule.WATCHES).orElseThrow().getDescription())
                .startsWith("10.0.0.7 has 2 watches open");
        assertThat(peer.begun(PeerRule.AGENT_STREAMS)).isEmpty();

        peer.ended(PeerRule.WATCHES);

        assertThat(peer.begun(PeerRule.WATCHES)).isEmpty();
    }

    @Test
    void whoAsksForManySummariesAtOnceDoesNotKeepThoseOfOthersWaiting() {
        for (int i = 0; i < 4; i++) {
            assertThat(peer.begun(PeerRule.SUMMARIES)).isEmpty();
        }
        assertThat(peer.begun(PeerRule.SUMMARIES).orElseThrow().getDescription())
                .isEqualTo("10.0.0.7 has 4 summaries under way; a peer may have no more; wait for them");
        assertThat(peer.begun(PeerRule.QUERIES)).isEmpty();
    }

    @Test
    void aPeerIsOnlyForgottenOnceItMakesNoDifference() {
        peer.begun(PeerRule.WATCHES);
        nanos.addAndGet(TimeUnit.MINUTES.toNanos(1));
        assertThat(peer.isRested()).as("its watch is open").isFalse();
        peer.ended(PeerRule.WATCHES);
        assertThat(peer.isRested()).isTrue();
        peer.sent(1);
        assertThat(peer.isRested()).as("it would have a full burst again").isFalse();
    }

    @Test
    void aLimitOfNoneRefusesNothing() {
        Peer free = AnyPeer.unlimited();
        for (int i = 0; i < 10_000; i++) {
            assertThat(free.begun(PeerRule.AGENT_STREAMS)).isEmpty();
            assertThat(free.sent(Integer.MAX_VALUE)).isEmpty();
        }
    }

    private int callsUntilRefused() {
        int calls = 0;
        while (peer.begun(PeerRule.QUERIES).isEmpty()) {
            peer.ended(PeerRule.QUERIES);
            calls++;
        }
        return calls;
    }
}
