package dev.exit137.agent.cgroup;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.agent.cgroup.AfterKillReader.Raw;
import dev.exit137.agent.cgroup.AfterKillReader.RawFile;
import dev.exit137.proto.v1.AfterKill;
import java.util.List;
import org.junit.jupiter.api.Test;

class AfterKillReaderTest {

    private static AfterKill parse(String file, String content) {
        return AfterKillReader.parse(new Raw(null, List.of(new RawFile(file, content.getBytes(US_ASCII)))));
    }

    @Test
    void noLimitIsTheLargestNumberOnBothVersions() {
        assertThat(parse("memory.max", "max\n").getMaxBytes()).isEqualTo(-1);
        assertThat(parse("memory.limit_in_bytes", "9223372036854771712\n").getMaxBytes())
                .isEqualTo(-1);
        assertThat(parse("memory.max", "33554432\n").getMaxBytes()).isEqualTo(33554432);
    }

    @Test
    void keysThatNobodyKnewYetAreKept() {
        assertThat(parse("memory.events", "oom 1\nsock_throttled 7\n").getEventsMap())
                .containsEntry("oom", 1L)
                .containsEntry("sock_throttled", 7L);
        assertThat(parse("memory.stat", "anon 5\nhierarchical_memsw_limit 18446744073709551615\n")
                        .getStatMap())
                .containsEntry("anon", 5L)
                .containsEntry("hierarchical_memsw_limit", -1L);
    }

    @Test
    void whatCannotBeReadIsAbsentAndNotZero() {
        assertThat(parse("memory.current", "\n").hasCurrentBytes()).isFalse();
        assertThat(parse("memory.peak", "rubbish\n").hasPeakBytes()).isFalse();
        assertThat(parse("memory.max", "1\n").hasReadAfterKillNanos()).isFalse();
    }
}
