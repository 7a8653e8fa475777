package dev.exit137.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.OomKillEvent;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What an agent that ended leaves to the next one. */
class RestartTest extends AgentBed {
    private final List<OomKillEvent> others = new ArrayList<>();

    @Test
    void whatNobodyAcknowledgedIsSentAgainUnderTheSameIdsAfterAStop() throws Exception {
        List<OomKillEvent> before = twoUnacknowledgedKills();
        stop();

        assertThatTheNextAgentSendsAgain(before);
    }

    @Test
    void whatNobodyAcknowledgedIsSentAgainUnderTheSameIdsAfterACrash() throws Exception {
        List<OomKillEvent> before = twoUnacknowledgedKills();
        awaitCheckpointOfAll(2);
        crash();

        assertThatTheNextAgentSendsAgain(before);
    }

    private List<OomKillEvent> twoUnacknowledgedKills() throws Exception {
        start();
        AgentStream stream = aggregator.nextStream();
        host.kill("/a", 11);
        host.kill("/a", 12);
        List<OomKillEvent> events = stream.nextEvents(2);
        assertThat(events).extracting(event -> event.getVictim().getPid()).containsExactly(11, 12);
        return events;
    }

    private void assertThatTheNextAgentSendsAgain(List<OomKillEvent> before) throws Exception {
        start();
        AgentStream stream = aggregator.nextStream();

        assertThat(stream.nextEvents(2)).isEqualTo(before);
        stream.acknowledge(before);
        assertNothingElse(stream, 2);
    }

    @Test
    void anAcknowledgedEventIsNotSentAgainAfterAStop() throws Exception {
        acknowledgedKill();
        stop();

        start();
        assertNothingElse(aggregator.nextStream(), 1);
    }

    @Test
    void anAcknowledgedEventIsNotSentAgainAfterACrash() throws Exception {
        acknowledgedKill();
        awaitCheckpointOfAll(0);
        crash();

        start();
        assertNothingElse(aggregator.nextStream(), 1);
    }

    @Test
    void aRingThatStillHoldsARecordDoesNotTellItTwice() throws Exception {
        acknowledgedKill();
        awaitCheckpointOfAll(0);
        stop();

        host.kmsg.replay();
        start();
        assertNothingElse(aggregator.nextStream(), 1);
    }

    private void acknowledgedKill() throws Exception {
        start();
        AgentStream stream = aggregator.nextStream();
        host.kill("/a", 11);
        stream.acknowledge(stream.nextEvents(1));
    }

    @Test
    void aKillWhileNoAgentRanIsReadFromTheRingAndMarkedAsRecovered() throws Exception {
        acknowledgedKill();
        stop();
        host.kill("/a", 12);

        start();
        AgentStream stream = aggregator.nextStream();
        OomKillEvent event = stream.nextEvents(1).get(0);
        assertThat(event.getVictim().getPid()).isEqualTo(12);
        assertThat(event.getRecovered()).isTrue();
        assertNothingElse(stream, 2);
    }

    @Test
    void aKillWhileNoAgentRanWhoseRecordIsGoneIsReadFromTheCounter() throws Exception {
        acknowledgedKill();
        stop();
        host.count("/a");

        start();
        AgentStream stream = aggregator.nextStream();
        OomKillEvent event = stream.nextEvents(1).get(0);
        assertThat(event.getCgroupPath()).isEqualTo("/a");
        assertThat(event.hasVictim()).isFalse();
        assertThat(event.getRecovered()).isTrue();
    }

    @Test
    void anotherBootStartsAfreshAndStillSendsWhatWasNotAcknowledgedBefore() throws Exception {
        List<OomKillEvent> before = twoUnacknowledgedKills();
        reboot("boot-2");
        start();
        AgentStream stream = aggregator.nextStream();
        assertThat(stream.nextEvents(2)).isEqualTo(before);
        stream.acknowledge(before);

        // Its sequence numbers and counters are below what the checkpoint remembers.
        host.kill("/a", 21);
        OomKillEvent event = stream.nextEvents(1).get(0);
        assertThat(event.getEventId()).isEqualTo("boot-2/kmsg/1");
        assertThat(event.getVictim().getPid()).isEqualTo(21);
        assertNothingElse(stream, 1);
    }

    @Test
    void killsOfAServiceAreCountedOnOverAStopACrashAndAReboot() throws Exception {
        String service = "/system.slice/shop.service";
        host.cgroup(service);
        start();
        assertThat(killed(service, 11).hasWorkloadHistory()).isFalse();
        awaitCheckpointOfAll(0);
        crash();
        host.kmsg.replay();
        start();
        assertThat(killed(service, 12).getWorkloadHistory().getOoms()).isEqualTo(2);
        stop();
        start();
        assertThat(killed(service, 13).getWorkloadHistory().getOoms()).isEqualTo(3);
        reboot("boot-2");
        start();
        OomKillEvent fourth = killed(service, 14);
        assertThat(fourth.getWorkloadHistory().getWorkload()).isEqualTo("shop.service");
        assertThat(fourth.getWorkloadHistory().getOoms()).isEqualTo(4);
        assertThat(fourth.getExplanation()).contains("It is the 4th OOM kill of this workload on this node in ");
    }

    private OomKillEvent killed(String cgroup, int pid) throws Exception {
        AgentStream stream = aggregator.nextStream();
        host.kill(cgroup, pid);
        OomKillEvent event = stream.nextEvents(1).getFirst();
        assertThat(event.getVictim().getPid()).isEqualTo(pid);
        stream.acknowledge(event);
        return event;
    }

    /** @param kills all there were in this boot */
    private void assertNothingElse(AgentStream stream, long kills) throws Exception {
        AgentStatus status = settled(stream, others::add);
        assertThat(others).isEmpty();
        assertThat(status.getBalance().getKills()).isEqualTo(kills + 1);
        assertThat(status.getBalance().getUnaccounted()).isZero();
    }
}
