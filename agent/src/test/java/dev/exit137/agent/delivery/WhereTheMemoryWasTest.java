package dev.exit137.agent.delivery;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.agent.container.ContainerProcesses;
import dev.exit137.agent.container.Identities;
import dev.exit137.agent.container.LabelFilter;
import dev.exit137.agent.container.RuntimeSockets;
import dev.exit137.agent.container.TaskCgroups;
import dev.exit137.agent.correlate.KillReport;
import dev.exit137.agent.history.Workloads;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.oomreport.dump.RawReport;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The kernel's own report counts before what was read. */
class WhereTheMemoryWasTest {
    private static final String BLOCK = "Memory cgroup stats for /a:\nanon 33554432\nfile 4096\nslab 1000\n";

    @TempDir
    Path proc;

    private Identities identities;
    private ContainerProcesses processes;
    private OomEventMapper mapper;

    @BeforeEach
    void make() {
        InstantSource clock = InstantSource.system();
        Guard guard = new Guard();
        identities = new Identities(new RuntimeSockets(List.of(), List.of()), LabelFilter.DEFAULT, proc, clock, guard);
        processes = new ContainerProcesses(proc, null, clock, guard);
        mapper = new OomEventMapper(
                identities, processes, new TaskCgroups(proc, clock), null, new Workloads(List.of()), guard);
    }

    @AfterEach
    void end() {
        identities.close();
        processes.close();
    }

    private Incident map(String limit, String block) {
        OomKillEvent.Builder event =
                OomKillEvent.newBuilder().setScope(Scope.MEMCG).setOutcome(Outcome.KILLED);
        event.getIncidentBuilder().setId("i").getLimitBuilder().setCgroup(limit);
        Incident.Builder sampled = Incident.newBuilder();
        sampled.getMemoryBuilder().setAnonBytes(7);
        sampled.getMemorySampleBuilder()
                .setCgroup("/a")
                .setAgeNanos(1)
                .setLimitBytes(8)
                .setUsageBytes(7);
        RawReport blocks = block.isEmpty() ? null : new RawReport(block.getBytes(US_ASCII), 0);
        KillReport report = new KillReport(event.build(), null, blocks, sampled.build());
        return mapper.map(report).getIncident();
    }

    @Test
    void whatTheKernelPrintedIsNotReplacedByWhatWasReadBefore() {
        Incident incident = map("/a", BLOCK);
        assertThat(incident.getMemory().getAnonBytes()).isEqualTo(33554432);
        assertThat(incident.hasMemorySample()).isFalse();
    }

    @Test
    void whereItPrintedNothingWhatWasReadBeforeIsToldAsSuchWithTheLimit() {
        Incident incident = map("/a", "");
        assertThat(incident.getMemory().getAnonBytes()).isEqualTo(7);
        assertThat(incident.getMemorySample().getAgeNanos()).isEqualTo(1);
        assertThat(incident.getLimit().getLimitBytes()).isEqualTo(8);
        assertThat(incident.getLimit().hasUsageBytes()).as("nobody knows it").isFalse();
    }

    @Test
    void theLimitOfTheVictimsCgroupIsNotTakenForTheOneThatWasHit() {
        assertThat(map("/", "").getLimit().hasLimitBytes()).isFalse();
        assertThat(map("", "").getLimit().hasLimitBytes()).isFalse();
    }
}
