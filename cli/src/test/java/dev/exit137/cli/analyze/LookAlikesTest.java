package dev.exit137.cli.analyze;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The kernel's words, said by somebody else. */
class LookAlikesTest {
    private static final String KILLED =
            "Out of memory: Killed process 7788 (java) total-vm:7169492kB, anon-rss:7165824kB, file-rss:956kB, "
                    + "shmem-rss:0kB, UID:0 pgtables:14076kB oom_score_adj:0";

    @ParameterizedTest
    @ValueSource(
            strings = {
                // Whoever may write to /dev/kmsg chooses any facility but the kernel's.
                "12,10,1000,-;%s",
                "<12>[   12.345678] %s",
                "user  :notice: [   12.345678] %s",
                "daemon:warn  : [   12.345678] %s",
                "10.200.70.91: user: warning: [2026-01-12T20:27:31.913975631Z]: %s",
                "<13>1 2024-05-03T12:00:00.123Z node-7 root - - - %s",
                // logger(1)
                "May  3 12:00:00 node-7 root: %s",
                "May  3 12:00:00 node-7 logger[77]: %s",
                "May  3 12:00:00 node-7 kernelfan[77]: %s",
                "2024-05-03T12:00:00.123456+02:00 node-7 my-app[12]: [   12.345678] %s",
                "May  3 12:00:00 node-7 my-app[12]: kernel: %s",
                "May  3 12:00:00 node-7 my-app: kernel: %s",
                "May  3 12:00:00 node-7 kernel: [  517.928447] my-daemon[1]: %s",
                "[  517.928447] my-daemon[1]: %s",
                "[  517.928447] my-daemon: %s",
                // Like dmesg -d, but the bracket is never closed.
                "[   12.345678 < %s",
                // Somebody writes of what the kernel wrote.
                "we saw %s",
                "2024-05-03 12:00:00 ERROR dmesg said \"[   12.345678] %s\"",
                "2024-05-03T12:00:00Z INFO node was rebooted after '%s'",
                "I1012 19:00:20.884452    3240 log_monitor.go:160] New status generated: &{Reason:OOMKilling Message:%s}",
                "{\"level\":\"info\",\"msg\":\"%s\"}",
                "grep: looking for %s",
                "# %s",
            })
    void areNotTheKernels(String line) {
        assertThat(Analysis.events(line.formatted(KILLED))).isEmpty();
        // Nor within a report.
        String report =
                "[   12.000000] java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n";
        assertThat(Analysis.victims(report + line.formatted(KILLED))).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "3,10,1000,-;%s",
                "<3>[   12.345678] %s",
                "kern  :err   : [   12.345678] %s",
                "node-problem\t\tWarning\t\tOOMKilling\t%s",
                "  Warning  OOMKilling  2m  kernel-monitor, node-7  %s",
                "\0\0\0\0\0\0May  3 12:00:00 node-7 kernel: %s",
                "[   12.345670] usb 1-1: new high-spe[   12.345678] %s",
                "\u001b[33m[   12.345678] \u001b[0m\u001b[1m%s\u001b[0m",
            })
    void butTheseAre(String line) {
        assertThat(Analysis.victims(line.formatted(KILLED))).containsExactly(7788);
    }
}
