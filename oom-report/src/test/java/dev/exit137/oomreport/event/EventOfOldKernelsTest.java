package dev.exit137.oomreport.event;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.oomreport.incident.IncidentAssembler;
import dev.exit137.oomreport.incident.OomIncident;
import dev.exit137.oomreport.parse.OomLine;
import dev.exit137.oomreport.parse.OomLineParser;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.Limit.Owner;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the events say of reports without a summary. */
class EventOfOldKernelsTest implements IncidentAssembler.Sink {
    private static final EventFactory.Times TIMES = new EventFactory.Times(1, null, Instant.EPOCH, false);

    private final EventFactory factory = new EventFactory(Node.getDefaultInstance(), EventIds.ofBoot("boot"));
    private final List<OomKillEvent> events = new ArrayList<>();

    private OomKillEvent read(String... messages) {
        IncidentAssembler assembler = new IncidentAssembler(this);
        OomLine line = new OomLine();
        for (int i = 0; i < messages.length; i++) {
            byte[] bytes = messages[i].getBytes(StandardCharsets.ISO_8859_1);
            new OomLineParser().parse(bytes, 0, bytes.length, line);
            assembler.onLine(line, i, i);
        }
        assembler.close();
        return events.getLast();
    }

    @Test
    void theLimitOfAMemcgWithAllThatTheBlockSaysOfIt() {
        OomKillEvent event = read(
                "sh cpuset=/ mems_allowed=0",
                "Task in /box/a killed as a result of limit of /box",
                "memory: usage 1024kB, limit 1024kB, failcnt 7",
                "memory+swap: usage 2048kB, limit 9007199254740988kB, failcnt 0",
                "kmem: usage 12kB, limit 16kB, failcnt 0",
                "Memory cgroup out of memory: Kill process 7 (sh) score 623 or sacrifice child",
                "Killed process 7 (sh) total-vm:8kB, anon-rss:4kB, file-rss:0kB");

        assertThat(event.getScope()).isEqualTo(Scope.MEMCG);
        assertThat(event.getCgroupPath()).isEqualTo("/box/a");
        assertThat(event.getIncident().getLimit())
                .isEqualTo(Limit.newBuilder()
                        .setOwner(Owner.CGROUP)
                        .setCgroup("/box")
                        .setLimitBytes(1 << 20)
                        .setUsageBytes(1 << 20)
                        .setFailcnt(7)
                        .setSwapIncludesMemory(true)
                        .setSwapUsageBytes(2 << 20)
                        .setSwapLimitBytes(OomLine.UNLIMITED)
                        .setKmemUsageBytes(12 << 10)
                        .setKmemLimitBytes(16 << 10)
                        .build());
        assertThat(event.getVictim().getOomScore()).isEqualTo(623);
    }

    @Test
    void theScoreOfTheChosenIsNotThatOfItsChild() {
        OomKillEvent event = read(
                "Out of memory: Kill process 7 (sh) score 623 or sacrifice child",
                "Killed process 8 (child) total-vm:8kB, anon-rss:4kB, file-rss:0kB");

        assertThat(event.getIncident().getChosen().getPid()).isEqualTo(7);
        assertThat(event.getIncident().getChosen().getOomScore()).isEqualTo(623);
        assertThat(event.getVictim().getPid()).isEqualTo(8);
        assertThat(event.getVictim().hasOomScore()).isFalse();
        assertThat(event.getIncident().getLimit().getOwner()).isEqualTo(Owner.NODE);
    }

    @ParameterizedTest
    @CsvSource({
        "Out of memory, GLOBAL",
        "Memory cgroup out of memory, MEMCG",
        "No available memory in cpuset, CPUSET",
        "No available memory (MPOL_BIND), MEMORY_POLICY"
    })
    void theWordsSayWhatHasRunOut(String words, Scope scope) {
        assertThat(read(words + ": Kill process 7 (sh) score 623 or sacrifice child", "Killed process 7 (sh)")
                        .getScope())
                .isEqualTo(scope);
        assertThat(read(words + ": Kill process 7 (sh) score 623 or sacrifice child"))
                .returns(scope, OomKillEvent::getScope)
                .returns(Outcome.KILL_NOT_SEEN, OomKillEvent::getOutcome);
    }

    @Test
    void thatNothingMayBeKilledIsSaidOfACgroupAsWellAsOfTheNode() {
        OomKillEvent event = read("Out of memory and no killable processes...");

        assertThat(event.getScope()).isEqualTo(Scope.UNKNOWN);
        assertThat(event.getIncident().getLimit().getOwner()).isEqualTo(Owner.UNSPECIFIED);
        assertThat(read(
                        "Out of memory and no killable processes...",
                        "Kernel panic - not syncing: System is deadlocked on memory"))
                .returns(Scope.GLOBAL, OomKillEvent::getScope)
                .returns(Outcome.PANIC, OomKillEvent::getOutcome);
    }

    @Test
    void aHeadAloneDoesNotSayWhatHasRunOut() {
        OomKillEvent event = read(
                "sh invoked oom-killer: gfp_mask=0xd0, nodemask=0-1, order=2, oom_score_adj=0",
                "sh cpuset=box mems_allowed=0-3");

        assertThat(event.getScope()).isEqualTo(Scope.UNKNOWN);
        assertThat(event.getIncident().getNodemask()).isEqualTo("0-1");
        assertThat(event.getIncident().getCpuset()).isEqualTo("box");
        assertThat(event.getIncident().getMemsAllowed()).isEqualTo("0-3");
    }

    @Override
    public void onBegun(OomIncident incident) {}

    @Override
    public boolean isGroupMember(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
        return true;
    }

    @Override
    public void onKill(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
        Attribution attribution = Attribution.ofSummary(incident, killed);
        events.add(factory.kill(incident, killed, sequence, attribution, EventFactory.limit(incident), TIMES)
                .build());
    }

    @Override
    public void onRepeatedKill(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {}

    @Override
    public void onClosed(OomIncident incident) {
        if (incident.kills() == 0) {
            events.add(factory.withoutKill(incident, EventFactory.limit(incident), TIMES)
                    .build());
        }
    }
}
