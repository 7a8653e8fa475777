package dev.exit137.exitreport.facts;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SeccompKillTest {
    /** Of Linux 6.1. */
    private static final String STRICT = "audit: type=1326 audit(1796004728.972:2): auid=4294967295 uid=0 gid=0"
            + " ses=4294967295 subj=unconfined pid=350 comm=\"v-seccomp1\" exe=\"/run/bed/sc\" sig=9 arch=c000003e"
            + " syscall=39 compat=0 ip=0x43fff9 code=0x0";

    @Test
    void strictModeKillsWithASignalThatOnlyTheAuditRecordHas() {
        assertThat(SeccompKill.of(STRICT))
                .contains(new SeccompKill(Instant.parse("2026-11-30T02:12:08.972Z"), 350, 9, 39));
        byte[] record = ("5,1,2,-;" + STRICT).getBytes(StandardCharsets.US_ASCII);
        assertThat(SeccompKill.isLikely(record, 8)).isTrue();
        assertThat(SeccompKill.isLikely(record, 9)).isFalse();
        assertThat(SeccompKill.isLikely(record, record.length - 5)).isFalse();
    }

    @Test
    void aProgramCannotWriteAnotherPidIntoItsName() {
        // comm is "a pid=1", which the kernel writes in hexadecimal.
        String line = STRICT.replace("\"v-seccomp1\"", "61207069643D31");
        assertThat(SeccompKill.of(line)).get().extracting(SeccompKill::pid).isEqualTo(350);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "audit: type=1326 audit(1796004728.972:2): pid=350",
                "audit: type=1326 ",
                "audit: type=1327 audit(1796004728.972:2): pid=350 comm=\"a\" sig=9 arch=c000003e syscall=39 x"
            })
    void aLineThatIsCutOrOfAnotherTypeIsNone(String line) {
        assertThat(SeccompKill.of(line)).isEmpty();
    }

    @Test
    void aFilterThatOnlyLogsKillsNothing() {
        assertThat(SeccompKill.of(STRICT.replace("sig=9", "sig=0"))).isEmpty();
    }
}
