package dev.exit137.agent.trace;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which signals an instance still has, when its agent was killed. */
class TraceInstanceTest {
    private static final Instant MADE = Instant.parse("2001-02-03T04:00:00Z");
    private static final String NAME = "exit137-0123456789abcdef";

    @TempDir
    private Path directory;

    private TraceInstance open(Instant now) throws IOException {
        return TraceInstance.open(new FakeTracefs(directory).root(), NAME, 1, now);
    }

    private Path madeBefore() throws IOException {
        Path instance = new FakeTracefs(directory).root().resolve("instances").resolve(NAME);
        for (String file : new String[] {"trace_clock", "buffer_size_kb", "tracing_on", "trace"}) {
            FakeTracefs.write(instance.resolve(file), "");
        }
        for (String file : new String[] {"filter", "trigger", "enable"}) {
            FakeTracefs.write(instance.resolve("events/signal/signal_generate").resolve(file), "");
        }
        Files.setLastModifiedTime(instance.resolve("trace"), FileTime.from(MADE));
        return instance;
    }

    @Test
    void whatADeadAgentHadReadIsNotClaimedToBeThere() throws IOException {
        Path instance = madeBefore();
        Instant lastSign = MADE.plusSeconds(3600);
        Files.setLastModifiedTime(instance, FileTime.from(lastSign));
        Instant since = open(lastSign.plusSeconds(100)).since();
        assertThat(since).isAfter(lastSign.plusSeconds(10)).isBefore(lastSign.plusSeconds(60));
    }

    @Test
    void anAgentThatComesAtOnceHasEverySignalFromThenOn() throws IOException {
        Path instance = madeBefore();
        Instant lastSign = MADE.plusSeconds(3600);
        Files.setLastModifiedTime(instance, FileTime.from(lastSign));
        Instant now = lastSign.plus(Duration.ofSeconds(2));
        assertThat(open(now).since()).isEqualTo(now);
    }
}
