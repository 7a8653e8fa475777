package dev.exit137.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.OomKillEvent;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** An exception on the agent-epoll thread, wherever it comes from: it is counted, and the next kill is reported. */
class SeamsTest extends AgentBed {
    private final List<OomKillEvent> others = new ArrayList<>();
    private final AtomicInteger failures = new AtomicInteger();
    private volatile String seam = "nowhere";

    @BeforeEach
    void makeTheClockFail() {
        InstantSource system = clock;
        clock = () -> failingAtTheSeam(system);
    }

    private Instant failingAtTheSeam(InstantSource system) {
        boolean atSeam = StackWalker.getInstance()
                .walk(frames ->
                        frames.anyMatch(frame -> (frame.getClassName() + "." + frame.getMethodName()).endsWith(seam)));
        if (atSeam && failures.getAndUpdate(left -> Math.max(0, left - 1)) > 0) {
            throw new StackOverflowError("at " + seam);
        }
        return system.instant();
    }

    private void failAt(String method, int times) {
        seam = method;
        failures.set(times);
    }

    private AgentStatus awaitCaught(AgentStream stream, String place) throws InterruptedException {
        return stream.nextStatus(status -> status.getLosses().getInternalErrorsOrDefault(place, 0) > 0, event -> {
            others.add(event);
            stream.acknowledge(event);
        });
    }

    private void assertNextKillIsReported(AgentStream stream, int pid) throws InterruptedException {
        host.kill("/a", pid);
        OomKillEvent event = stream.nextEvents(1).getFirst();
        assertThat(event.getVictim().getPid()).isEqualTo(pid);
        assertThat(event.getCgroupPath()).isEqualTo("/a");
        stream.acknowledge(event);
    }

    @Test
    void outOfTheCorrelatorTheKillIsReportedFromItsCounter() throws Exception {
        start();
        AgentStream stream = aggregator.nextStream();
        failAt("Correlator.times", 1);
        host.kill("/a", 11);
        OomKillEvent counted = stream.nextEvents(1).getFirst();
        assertThat(counted.getCgroupPath()).isEqualTo("/a");
        assertThat(counted.hasVictim()).isFalse();
        stream.acknowledge(counted);
        awaitCaught(stream, "correlate");

        assertNextKillIsReported(stream, 12);
        countedOnly = 1;
        AgentStatus status = settled(stream, others::add);
        assertThat(others).isEmpty();
        assertThat(status.getBalance().getUnaccounted()).isZero();
        assertThat(status.getBalance().getKills()).isEqualTo(3);
    }

    @Test
    void outOfTheBooksTheKillIsReportedAtTheNextReview() throws Exception {
        start();
        AgentStream stream = aggregator.nextStream();
        assertNextKillIsReported(stream, 11);
        failAt("EvidenceLoop.settle", 3);
        host.count("/a");
        OomKillEvent counted = stream.nextEvents(1).getFirst();
        assertThat(counted.getCgroupPath()).isEqualTo("/a");
        stream.acknowledge(counted);
        awaitCaught(stream, "review");

        assertThat(failures).hasValue(0);
        assertNextKillIsReported(stream, 12);
    }

    @Test
    void outOfTheStatusAndTheCheckpointTheyComeLater() throws Exception {
        start();
        AgentStream stream = aggregator.nextStream();
        assertNextKillIsReported(stream, 11);
        failAt("StatusReporter.status", 5);
        host.kill("/a", 12);
        OomKillEvent event = stream.nextEvents(1).getFirst();
        stream.acknowledge(event);
        awaitCaught(stream, "status");
        awaitCheckpointOfAll(0);

        assertNextKillIsReported(stream, 13);
        assertThat(others).isEmpty();
    }

    @Test
    void outOfTheFirstStatusTheAgentStartsNevertheless() throws Exception {
        failAt("StatusReporter.status", 1);
        start();
        AgentStream stream = aggregator.nextStream();

        assertNextKillIsReported(stream, 11);
        awaitCaught(stream, "status");
    }

    @Test
    void outOfTheLastCutTheAgentEndsAndTheNextOneReportsEachKillOnce() throws Exception {
        start();
        AgentStream stream = aggregator.nextStream();
        assertNextKillIsReported(stream, 11);
        awaitCheckpointOfAll(0);
        failAt("EvidenceLoop.lastCut", 1);
        stop();
        assertThat(guard.counts()).containsKey("status");
        host.kmsg.rewind();
        start();

        assertNextKillIsReported(aggregator.nextStream(), 12);
    }
}
