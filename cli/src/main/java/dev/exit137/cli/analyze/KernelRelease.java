package dev.exit137.cli.analyze;

import static dev.exit137.oomreport.parse.Bytes.ascii;

import dev.exit137.oomreport.parse.Bytes;
import java.nio.charset.StandardCharsets;

/**
 * The kernel's release, which is after the taint flags and before the build number:
 *
 * <pre>
 * CPU: 8 PID: 8291 Comm: runc:[2:INIT] Tainted: G        W I E     5.8.2-0.g71b519a-default #1 openSUSE Tumbleweed
 * Pid: 24113, comm: sshd Not tainted 2.6.32-279.el6.x86_64 #1
 * </pre>
 */
final class KernelRelease {
    private static final byte[] TAINTED = ascii("ainted");
    private static final byte[] BUILD = ascii(" #");

    private KernelRelease() {}

    /** The release in the line; empty if there is none. */
    static String of(byte[] line, int from, int to) {
        int tainted = Bytes.find(line, from, to, TAINTED);
        int end = tainted < 0 ? -1 : Bytes.find(line, tainted, to, BUILD);
        int start = end;
        while (start > tainted && line[start - 1] != ' ') {
            start--;
        }
        boolean isRelease =
                end > start && Bytes.isDigit(line[start]) && Bytes.find(line, start, end, new byte[] {'.'}) > 0;
        return isRelease ? new String(line, start, end - start, StandardCharsets.UTF_8) : "";
    }
}
