package dev.exit137.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.OomKillEvent;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

/** A firewall logs every packet: the kernel's log never falls silent. */
class NoisyLogTest extends AgentBed {
    private static final long BETWEEN_LINES_NANOS = 5_000_000;

    /** Ordinary lines, all the time until it is closed. */
    private final class Noise implements AutoCloseable {
        private final Thread thread = Thread.ofPlatform().daemon().name("noise").start(this::make);
        private volatile boolean ended;

        private void make() {
            while (!ended) {
                host.kmsg.record("IN=eth0 OUT= SRC=192.0.2.7 DST=192.0.2.1 LEN=40");
                LockSupport.parkNanos(BETWEEN_LINES_NANOS);
            }
        }

        @Override
        public void close() throws InterruptedException {
            ended = true;
            thread.join();
        }
    }

    @Test
    void aKillIsInTheCheckpointAndNotToldAgainAfterACrash() throws Exception {
        try (Noise noise = new Noise()) {
            acknowledgedKill();
            awaitCheckpointOfAll(0);
            crash();
            assertToldOnce();
        }
    }

    @Test
    void aKillIsInTheCheckpointAndNotToldAgainAfterAStop() throws Exception {
        try (Noise noise = new Noise()) {
            acknowledgedKill();
            stop();
            assertToldOnce();
        }
    }

    private void acknowledgedKill() throws Exception {
        start();
        AgentStream stream = aggregator.nextStream();
        host.kill("/a", 7);
        stream.acknowledge(stream.nextEvents(1));
    }

    private void assertToldOnce() throws Exception {
        start();
        List<OomKillEvent> again = new ArrayList<>();
        AgentStatus status = settled(aggregator.nextStream(), again::add);
        assertThat(again).isEmpty();
        assertThat(status.getBalance().getKills()).isEqualTo(2);
        assertThat(status.getBalance().getUnaccounted()).isZero();
    }
}
