package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The demo on this machine's own kernel: a real kill in a scratch cgroup, from end to end. */
@Tag("kernel")
class HostBedTest {
    private static final List<Path> HIERARCHIES = List.of(Path.of("/sys/fs/cgroup/memory"), Path.of("/sys/fs/cgroup"));

    @Test
    void demoKillsOneProcessAndTheRightOneComesBack() {
        skipWhereNothingCanBeKilled();
        Path out = Bed.freshDirectory("host");

        Bed.Finished demo =
                Bed.run(out, "demo", Duration.ofMinutes(2), new ProcessBuilder(Bed.exit137(), "demo", "-o", "json"));

        assertThat(demo.status()).as(demo.errText()).isZero();
        List<OomKillEvent> events = Events.parse(demo.outLines()).received();
        assertThat(events).hasSize(1);
        OomKillEvent event = events.getFirst();
        assertThat(event.getOutcome()).isEqualTo(OomKillEvent.Outcome.KILLED);
        assertThat(event.getScope()).isEqualTo(Scope.MEMCG);
        assertThat(event.getVictim().getPid()).isPositive();
        assertThat(event.getVictim().getComm()).isEqualTo("tail");
        assertThat(event.getCgroupPath())
                .contains("exit137")
                .isEqualTo(event.getIncident().getLimit().getCgroup());
        assertThat(event.getIncident().getLimit().getOwner()).isEqualTo(Limit.Owner.CGROUP);
        assertThat(event.getAfterKill().getMaxBytes())
                .isEqualTo(event.getIncident().getLimit().getLimitBytes());
        assertThat(event.getAfterKill().hasCurrentBytes()).isTrue();
        assertThat(event.getAfterKill().getStatMap()).isNotEmpty();
        assertThat(HIERARCHIES)
                .as("the scratch cgroup is gone")
                .allSatisfy(root ->
                        assertThat(Path.of(root + event.getCgroupPath())).doesNotExist());
    }

    private static void skipWhereNothingCanBeKilled() {
        if (!System.getProperty("user.name").equals("root")) {
            Bed.skip("the host bed", "not root, so it can make no memory cgroup on this machine");
        }
        if (HIERARCHIES.stream().noneMatch(Files::isWritable)) {
            Bed.skip("the host bed", "no writable cgroup hierarchy below /sys/fs/cgroup");
        }
        if (!Files.isReadable(Path.of("/dev/kmsg"))) {
            Bed.skip("the host bed", "/dev/kmsg is not readable");
        }
    }
}
