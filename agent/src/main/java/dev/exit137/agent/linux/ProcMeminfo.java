package dev.exit137.agent.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The node's memory, proc_meminfo(5). */
public final class ProcMeminfo {
    // MemTotal:       16318476 kB
    private static final Pattern MEM_TOTAL = Pattern.compile("(?m)^MemTotal:\\s+(\\d{1,15}) kB$");

    private ProcMeminfo() {}

    /** MemTotal in bytes, which kubelet takes for the node's capacity; empty where procfs does not have it. */
    public static Optional<Long> totalBytes(Path procRoot) {
        try {
            Matcher total = MEM_TOTAL.matcher(Files.readString(procRoot.resolve("meminfo")));
            return total.find() ? Optional.of(Long.parseLong(total.group(1)) << 10) : Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        }
    }
}
