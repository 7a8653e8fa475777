package dev.exit137.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.OomKillEvent;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The stream to the aggregator breaks: what it had not acknowledged is sent on the next one, and nothing else. */
class BrokenStreamTest extends AgentBed {
    @Test
    void whatWasInFlightIsSentAgainAndWhatWasAcknowledgedIsNot() throws Exception {
        start();
        AgentStream first = aggregator.nextStream();
        for (int pid = 11; pid <= 13; pid++) {
            host.kill("/a", pid);
        }
        List<OomKillEvent> events = first.nextEvents(3);
        first.acknowledge(events.get(0));
        first.breakOff(Status.INTERNAL.withDescription("disk full"));

        AgentStream second = aggregator.nextStream();
        assertThat(second.nextEvents(2)).isEqualTo(events.subList(1, 3));
        second.acknowledge(events.subList(1, 3));
        second.breakOff(Status.UNAVAILABLE);

        AgentStream third = aggregator.nextStream();
        List<OomKillEvent> others = new ArrayList<>();
        AgentStatus status = settled(third, others::add);
        assertThat(others).isEmpty();
        assertThat(status.getBalance().getUnaccounted()).isZero();
    }

    @Test
    void anAcknowledgementOfAnOlderRevisionDoesNotForgetTheNewer() throws Exception {
        start();
        AgentStream first = aggregator.nextStream();
        host.count("/a");
        OomKillEvent counted = first.nextEvents(1).get(0);
        host.kmsg.record(FakeHost.summary("/a", 11));
        host.kmsg.record(FakeHost.killed(11));
        OomKillEvent named = first.nextEvents(1).get(0);
        first.acknowledge(counted);
        first.breakOff(Status.UNAVAILABLE);

        assertThat(named.getEventId()).isEqualTo(counted.getEventId());
        assertThat(named.getRevision()).isEqualTo(counted.getRevision() + 1);
        assertThat(aggregator.nextStream().nextEvents(1)).containsExactly(named);
    }

    @Test
    void eachStreamBeginsWithTheStatus() throws Exception {
        start();
        AgentStream first = aggregator.nextStream();
        assertThat(first.next().hasStatus()).isTrue();
        host.kill("/a", 11);
        first.nextEvents(1);
        first.breakOff(Status.UNAVAILABLE);

        AgentStream second = aggregator.nextStream();
        assertThat(second.next().getStatus().getUnacknowledgedEvents()).isEqualTo(1);
        assertThat(second.nextEvents(1)).hasSize(1);
    }

    @Test
    void alsoTheFirstStreamAfterARestartBeginsWithTheStatus() throws Exception {
        start();
        host.kill("/a", 11);
        aggregator.nextStream().nextEvents(1);
        stop();

        start();
        AgentStream stream = aggregator.nextStream();
        assertThat(stream.next().hasStatus()).isTrue();
        assertThat(stream.nextEvents(1)).hasSize(1);
    }
}
