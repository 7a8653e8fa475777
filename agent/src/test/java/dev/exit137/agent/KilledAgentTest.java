package dev.exit137.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.PublishEventsRequest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** SIGKILL hits an agent again and again, whatever it is doing; kills go on, and acknowledgements are late. */
@Tag("process")
@Tag("soak")
class KilledAgentTest extends AgentBed {
    private static final int SEED = 137;
    private static final int SOAK_TIMES = Integer.getInteger("soak.times", 0);
    /** The log has room for the records of 21. */
    private static final int ROUNDS = SOAK_TIMES == 0 ? 8 : 20;
    /** Of a process, on a machine that is busy. */
    private static final Duration START_PATIENCE = Duration.ofMinutes(2);

    private static final int KILLS_PER_ROUND = 6;

    /** By id and revision. */
    private final Map<String, OomKillEvent> received = new HashMap<>();

    private final Set<String> acknowledged = new HashSet<>();
    private final List<OomKillEvent> unacknowledged = new ArrayList<>();
    private Random random;
    private Process process;
    private int kills;

    @AfterEach
    void endTheAgent() throws InterruptedException {
        if (process != null) {
            process.destroyForcibly().waitFor();
        }
    }

    /** One short campaign; {@code soak.times} long ones. */
    static IntStream seeds() {
        return IntStream.range(0, Math.max(1, SOAK_TIMES)).map(time -> SEED + time);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void everyKillIsToldUnderOneIdAndWhatIsToldAgainIsTheSame(int seed) throws Exception {
        random = new Random(seed);
        for (int round = 0; round < ROUNDS; round++) {
            launch();
            // Every fourth is killed while it starts, the others after they were heard of.
            AgentStream stream = round % 4 == 3 ? null : aggregator.nextStream(START_PATIENCE);
            for (int i = 0; i < KILLS_PER_ROUND; i++) {
                host.kill("/a", 1000 + kills++);
                LockSupport.parkNanos(random.nextLong(TimeUnit.MILLISECONDS.toNanos(60)));
                if (stream != null) {
                    receive(stream);
                }
            }
            LockSupport.parkNanos(random.nextLong(TimeUnit.MILLISECONDS.toNanos(400)));
            if (stream != null) {
                receive(stream);
            }
            process.destroyForcibly().waitFor();
            forgetStreams();
            unacknowledged.clear();
        }

        launch();
        AgentStream stream = aggregator.nextStream(START_PATIENCE);
        AgentStatus status = settled(stream, event -> {
            take(event);
            stream.acknowledge(event);
        });

        Map<Integer, String> idOfPid = new HashMap<>();
        for (OomKillEvent event : received.values()) {
            assertThat(event.hasVictim())
                    .as("a kill without its record: %s", event)
                    .isTrue();
            assertThat(idOfPid.put(event.getVictim().getPid(), event.getEventId()))
                    .as("ids of victim %d", event.getVictim().getPid())
                    .isIn(null, event.getEventId());
        }
        assertThat(idOfPid).hasSize(kills);
        assertThat(status.getBalance().getKills()).isEqualTo(kills + 1);
        assertThat(status.getBalance().getUnaccounted()).isZero();
        assertThat(status.getLosses().getSpoolEventsDamaged()).isZero();
        assertThat(status.getLosses().getSpoolEventsDropped()).isZero();
    }

    private void launch() throws Exception {
        host.kmsg.rewind();
        process = AgentProcess.start(host, stateDir, aggregator.address(), directory.resolve("agent.log"));
    }

    /** Streams that the dead agent may have opened. */
    private void forgetStreams() {
        for (AgentStream left = aggregator.pollStream(); left != null; left = aggregator.pollStream()) {
            receiveAll(left);
        }
    }

    /** Takes what has come; acknowledges some of it, some time. */
    private void receive(AgentStream stream) {
        receiveAll(stream);
        while (!unacknowledged.isEmpty() && random.nextInt(3) > 0) {
            OomKillEvent event = unacknowledged.remove(random.nextInt(unacknowledged.size()));
            acknowledged.add(key(event));
            stream.acknowledge(event);
        }
    }

    private void receiveAll(AgentStream stream) {
        for (PublishEventsRequest message = stream.poll(); message != null; message = stream.poll()) {
            if (message.hasEvent()) {
                take(message.getEvent());
                unacknowledged.add(message.getEvent());
            }
        }
    }

    /**
     * An event that is sent again is the same. One that was acknowledged the moment before the crash may be made again from
     * the ring, as recovered: the aggregator has it, and drops what comes under the same id and revision.
     */
    private void take(OomKillEvent event) {
        OomKillEvent before = received.put(key(event), event);
        if (before != null && !(acknowledged.contains(key(event)) && event.getRecovered())) {
            assertThat(event).isEqualTo(before);
        }
    }

    private static String key(OomKillEvent event) {
        return event.getEventId() + " " + event.getRevision();
    }
}
