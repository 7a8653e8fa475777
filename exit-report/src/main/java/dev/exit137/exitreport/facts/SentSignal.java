package dev.exit137.exitreport.facts;

import dev.exit137.proto.v1.Sender;
import java.time.Instant;
import java.util.List;

/**
 * A signal as the kernel generated it: the trace event {@code signal_generate} and its stack (include/trace/events/
 * signal.h, kernel/signal.c).
 *
 * @param time on the node's wall clock
 * @param number of the signal: 9, or 15
 * @param code {@code si_code}: 0 from kill(2), 128 from the kernel itself, -6 from tgkill(2), …
 * @param victimPid its process; the thread that was chosen to receive it, if its process was not read in time
 * @param victimComm comm of that thread
 * @param wholeProcess whether it was sent to the process rather than to one thread of it
 * @param delivered false if the kernel dropped it: the victim was dying already, or is process 1 of its namespace
 * @param inInterrupt it was sent from an interrupt: the sender is then whoever ran at that moment, and not known here
 * @param kernelPath the kernel's functions, innermost first; empty if not known. It never changes; it may look the names up
 *     when it is first read
 * @param sender as far as it was read; the default instance in an interrupt
 * @param victimCgroup path in the memory hierarchy, or in the unified one; empty if not read in time
 * @param victimExe its executable; empty if not read in time
 */
public record SentSignal(
        Instant time,
        int number,
        int code,
        int victimPid,
        String victimComm,
        boolean wholeProcess,
        boolean delivered,
        boolean inInterrupt,
        List<String> kernelPath,
        Sender sender,
        String victimCgroup,
        String victimExe) {

    /** A signal to a victim whose executable is not known. */
    public SentSignal(
            Instant time,
            int number,
            int code,
            int victimPid,
            String victimComm,
            boolean wholeProcess,
            boolean delivered,
            boolean inInterrupt,
            List<String> kernelPath,
            Sender sender,
            String victimCgroup) {
        this(
                time,
                number,
                code,
                victimPid,
                victimComm,
                wholeProcess,
                delivered,
                inInterrupt,
                kernelPath,
                sender,
                victimCgroup,
                "");
    }

    /** Returns the same signal on this path through the kernel. */
    public SentSignal onPath(List<String> path) {
        return new SentSignal(
                time,
                number,
                code,
                victimPid,
                victimComm,
                wholeProcess,
                delivered,
                inInterrupt,
                path,
                sender,
                victimCgroup,
                victimExe);
    }

    /** Returns whether the victim calls itself as the parents of containers do: containerd's shims, and conmon. */
    public boolean isToShim() {
        return victimComm.startsWith("containerd-shim") || victimComm.startsWith("conmon");
    }
}
