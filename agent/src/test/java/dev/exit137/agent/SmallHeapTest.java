package dev.exit137.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.OomKillEvent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The heap that the launcher gives an agent is small: nothing that a node can do is too much for it. */
@Tag("process")
class SmallHeapTest extends AgentBed {
    /** Of a process, on a machine that is busy. */
    private static final Duration START_PATIENCE = Duration.ofMinutes(2);

    private static final int CGROUPS = 1000;
    private static final int LONG_REPORTS = 10;
    private static final int KILLS = 9000;

    private Path log;
    private Process process;

    private AgentStream launch() throws Exception {
        while (aggregator.pollStream() != null) {
            // Of the process before.
        }
        log = directory.resolve("agent.log");
        process = AgentProcess.start(host, stateDir, aggregator.address(), log);
        return aggregator.nextStream(START_PATIENCE);
    }

    @AfterEach
    void endTheAgent() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    @Test
    void noKillIsLostInALongStormOnALargeNodeWhoseAggregatorHangs() throws Exception {
        for (int i = 0; i < CGROUPS; i++) {
            host.cgroup("/pod-" + i);
        }
        // Until it is killed nothing is acknowledged.
        launch();
        int pid = 100_000;
        for (int i = 0; i < LONG_REPORTS; i++) {
            // The most of a report that is kept is 1 MiB.
            LongReportTest.printReport(host, 9_000);
            host.kill("/pod-" + i, pid++);
        }
        for (int i = 0; i < KILLS; i++) {
            host.kill("/pod-" + i % CGROUPS, pid++);
        }
        long sequence = host.kmsg.nextSequence();
        awaitCheckpoint("of all before record " + sequence, c -> c.getKmsgNextSequence() >= sequence);
        assertThat(process.isAlive()).as(Files.readString(log)).isTrue();
        process.destroyForcibly().waitFor();

        AgentStream stream = launch();
        Set<Integer> told = new HashSet<>();
        while (told.size() < LONG_REPORTS + KILLS) {
            OomKillEvent event = stream.nextEvents(1).getFirst();
            stream.acknowledge(event);
            told.add(event.getVictim().getPid());
        }
        assertThat(process.isAlive()).as(Files.readString(log)).isTrue();
    }
}
