package dev.exit137.exitreport.facts;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A process that the kernel killed for a system call that its seccomp filter, or the strict mode, forbids: the audit record
 * of type 1326, which goes to the kernel's log where no auditd takes it (kernel/auditsc.c, audit_seccomp()). The strict mode
 * sends SIGKILL on no path that the trace shows.
 *
 * <pre>{@code
 * audit: type=1326 audit(1796004728.972:2): auid=4294967295 uid=0 gid=0 ses=4294967295 subj=unconfined pid=350 comm="sc"
 *     exe="/run/bed/sc" sig=9 arch=c000003e syscall=39 compat=0 ip=0x43fff9 code=0x0
 * }</pre>
 *
 * @param time on the node's wall clock, to a millisecond
 * @param pid the thread that made the call, in the initial pid namespace; the process if it has one thread
 * @param signal 9 in strict mode, 31 for a filter; 0 where the filter only logs
 * @param systemCall its number on that architecture
 */
public record SeccompKill(Instant time, int pid, int signal, int systemCall) {
    private static final byte[] BEGIN = "audit: type=1326 ".getBytes(StandardCharsets.US_ASCII);
    // The kernel writes a name with a blank or a quotation mark in hexadecimal: nobody can write a second pid=.
    private static final Pattern LINE = Pattern.compile("audit: type=1326 audit\\(([0-9]{1,12})\\.([0-9]{3}):[0-9]+\\):"
            + "(?: [a-z]+=\\S*)*? pid=([0-9]{1,9}) comm=\\S+(?: exe=\\S+)? sig=([0-9]{1,2}) arch=\\S+ syscall=([0-9]{1,9})"
            + " .*");

    /** Returns whether a message of the kernel, in a buffer, begins like one. Allocates nothing. */
    public static boolean isLikely(byte[] buffer, int message) {
        int end = message + BEGIN.length;
        return end <= buffer.length && Arrays.equals(buffer, message, end, BEGIN, 0, BEGIN.length);
    }

    /** Reads a message of the kernel; empty if it is none of a kill. */
    public static Optional<SeccompKill> of(String message) {
        Matcher line = LINE.matcher(message);
        if (!line.matches() || line.group(4).equals("0")) {
            return Optional.empty();
        }
        return Optional.of(new SeccompKill(
                Instant.ofEpochSecond(Long.parseLong(line.group(1)), Long.parseLong(line.group(2)) * 1_000_000),
                Integer.parseInt(line.group(3)),
                Integer.parseInt(line.group(4)),
                Integer.parseInt(line.group(5))));
    }
}
