package dev.exit137.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Records that are made up, broken or missing. */
class UntrustedLogTest extends AgentBed {
    private static final int USER_FACILITY = 1;

    private final List<OomKillEvent> events = new ArrayList<>();
    private AgentStream stream;

    @BeforeEach
    void watch() throws Exception {
        host.cgroup("/b");
        start();
        stream = aggregator.nextStream();
    }

    @Test
    void aKillThatSomeoneWroteToTheDeviceIsNotBelieved() throws Exception {
        host.kmsg.record(USER_FACILITY, FakeHost.summary("/a", 11));
        host.kmsg.record(USER_FACILITY, FakeHost.killed(11));

        AgentStatus status = settled(stream, events::add);
        assertThat(events).isEmpty();
        assertThat(status.getLosses().getKmsgRecordsMalformed()).isZero();
        assertThat(status.getLosses().getKmsgRecordsOverwritten()).isZero();
    }

    @Test
    void aRecordThatIsNoneIsCountedAndTheNextOneIsRead() throws Exception {
        host.kmsg.record("one line, so that the agent knows where it is");
        host.kmsg.malformedRecord();
        host.kill("/a", 11);

        AgentStatus status = settled(stream, events::add);
        assertThat(events).extracting(event -> event.getVictim().getPid()).containsExactly(11);
        assertThat(status.getLosses().getKmsgRecordsMalformed()).isEqualTo(1);
        assertThat(status.getLosses().getKmsgRecordsOverwritten()).isZero();
    }

    @Test
    void recordsThatWereOverwrittenAreCountedExactly() throws Exception {
        host.kmsg.record("one line, so that the agent knows where it is");
        host.kmsg.overwrite(7);
        host.kill("/a", 11);
        host.kmsg.overwrite(1000);
        host.kill("/a", 12);

        AgentStatus status = settled(stream, events::add);
        assertThat(events).extracting(event -> event.getVictim().getPid()).containsExactly(11, 12);
        assertThat(status.getLosses().getKmsgRecordsOverwritten()).isEqualTo(1007);
        assertThat(status.getLosses().getKmsgRecordsMalformed()).isZero();
    }

    @Test
    void aSummaryBeforeAGapDoesNotNameTheVictimAfterIt() throws Exception {
        host.kmsg.record(FakeHost.summary("/a", 11));
        host.kmsg.overwrite(3);
        host.count("/b");
        host.kmsg.record(FakeHost.killed(11));

        assertThat(stream.nextEvents(2))
                .extracting(OomKillEvent::getOutcome, OomKillEvent::hasVictim, OomKillEvent::getCgroupPath)
                .containsExactly(tuple(Outcome.KILL_NOT_SEEN, false, ""), tuple(Outcome.KILLED, true, "/b"));
    }
}
