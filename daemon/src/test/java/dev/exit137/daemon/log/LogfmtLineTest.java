package dev.exit137.daemon.log;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.slf4j.event.Level;

class LogfmtLineTest {
    private static final Instant TIME = Instant.parse("2026-11-21T20:09:45.1239Z");

    private static String line(String message) {
        return LogfmtLine.of(TIME, Level.WARN, "dev.exit137.agent.delivery.uplink.Uplink", message, 0, null);
    }

    @Test
    void aMessageIsALineWithItsTimeLevelAndPlace() {
        assertThat(line("no aggregator at a:1"))
                .isEqualTo("time=2026-11-21T20:09:45.123Z level=warn logger=Uplink msg=\"no aggregator at a:1\"");
    }

    @Test
    void aHostileNameInAMessageMakesNoSecondLineAndNoFurtherKey() {
        assertThat(line("of pod \"x\" level=error\nlevel=error\r\u001b[2J\u2028 c:\\d"))
                .endsWith("msg=\"of pod \\\"x\\\" level=error\\nlevel=error\\u000d\\u001b[2J\\u2028 c:\\\\d\"");
    }

    @Test
    void aMessageOfAMegabyteIsCut() {
        assertThat(line("x".repeat(1 << 20))).hasSizeLessThan(3000).endsWith("x…\"");
    }

    @Test
    void aStackTraceIsPartOfTheLine() {
        IOException thrown = new IOException("disk \"a\" full", new IllegalStateException("cause\nof two lines"));
        String line = LogfmtLine.of(TIME, Level.ERROR, "Spool", "it failed", 0, thrown);
        assertThat(line)
                .doesNotContain("\n")
                .contains(
                        " msg=\"it failed\" error=\"java.io.IOException: disk \\\"a\\\" full\" stack=\"java.io.IOException: disk")
                .contains("\\n\\tat dev.exit137.daemon.log.LogfmtLineTest.")
                .hasSizeLessThan(6000);
    }
}
