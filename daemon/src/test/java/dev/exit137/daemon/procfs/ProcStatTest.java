package dev.exit137.daemon.procfs;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class ProcStatTest {
    /** Field 7 is /dev/pts/0; field 9 says PF_KTHREAD or not; 14 and 15 are the time on processors, 22 is the start. */
    private static String stat(String comm, long flags) {
        return "4711 (" + comm + ") S 1 4711 4711 34816 4711 " + flags
                + " 0 0 0 0 120 34 0 0 20 0 9 0 99000 0 0 18446744073709551615\n";
    }

    @Test
    void aProcessHasItsTimes() {
        assertThat(ProcStat.parse(stat("java", 4194560)))
                .hasValue(new ProcStat(1, 34816, false, false, Duration.ofMillis(1540), Duration.ofSeconds(990)));
    }

    @Test
    void aNameWithSpacesAndParenthesesShiftsNoField() {
        for (String comm : List.of("a) S 1 2 3 b", "Web Content", "(sd-pam)", ") (", ")", "")) {
            assertThat(ProcStat.parse(stat(comm, 4194560))).as(comm).isEqualTo(ProcStat.parse(stat("java", 4194560)));
        }
    }

    @Test
    void theKernelsOwnThreadsAreKnownByTheirFlagAndNotByTheirName() {
        assertThat(ProcStat.parse(stat("kthreadd", 2129984)))
                .hasValueSatisfying(s -> assertThat(s.isKernelThread()).isTrue());
        assertThat(ProcStat.parse(stat("kthreadd", 4194560)))
                .hasValueSatisfying(s -> assertThat(s.isKernelThread()).isFalse());
    }

    @Test
    void aProcessOnItsWayOutIsKnown() {
        assertThat(ProcStat.parse(stat("java", 4194564)))
                .hasValueSatisfying(s -> assertThat(s.isExiting()).isTrue());
    }

    @Test
    void textThatNoKernelWritesIsNone() {
        for (String text : List.of("", "5 (redis", "5 (redis) S", "5 (redis) " + "x ".repeat(30))) {
            assertThat(ProcStat.parse(text)).as(text).isEmpty();
        }
    }
}
