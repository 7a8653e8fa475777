package dev.exit137.agent.linux;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.exit137.daemon.procfs.ProcStat;
import dev.exit137.oomreport.parse.ByteText;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The files that procfs has of a process while it lives (proc(5)); empty after its end. Any thread. */
public final class ProcessFiles {
    /** A longer command line or environment counts as unreadable: flags may be in the rest. */
    private static final int MAX_BYTES = 256 << 10;
    // TASK_COMM_LEN of include/linux/sched.h.
    private static final int MAX_COMM_BYTES = 16;
    private static final int KTHREADD = 2;
    // NSpid:	34567	700	1
    private static final Pattern NS_PID = Pattern.compile("(?m)^NSpid:\\s+([\\d\\s]+)$");

    private final Path procRoot;

    /** @param procRoot the host's procfs */
    public ProcessFiles(Path procRoot) {
        this.procRoot = procRoot;
    }

    /**
     * Whether the pids of this procfs are those of the kernel's log. They are not on a node that is itself a container
     * (kind), unless the procfs is that of the machine.
     */
    public boolean countsAsTheKernel() {
        return stat(KTHREADD).filter(ProcStat::isKernelThread).isPresent();
    }

    /**
     * Whether a process of that number is in the container now. None is where pids are counted in another namespace than
     * the kernel's log does (a node within a container), or the process has ended.
     */
    public boolean isConfirmed(int pid, String containerId) {
        return countsAsTheKernel() && isIn(pid, containerId);
    }

    /** Whether the process is in a container, or in a cgroup below the container's. */
    public boolean isIn(long pid, String containerId) {
        // 0::/kubepods.slice/…/cri-containerd-<id>.scope
        return text(pid, "cgroup")
                .filter(cgroups -> cgroups.contains(containerId))
                .isPresent();
    }

    /** The path of its memory cgroup within the hierarchy (cgroups(7)). */
    public Optional<String> cgroupPath(long pid) {
        return bytes(pid, "cgroup")
                .map(bytes -> MemoryCgroup.path(bytes, bytes.length))
                .filter(path -> !path.isEmpty());
    }

    /** Its name, as the kernel's log prints it. */
    public Optional<ByteText> comm(long pid) {
        return bytes(pid, "comm").map(line -> {
            ByteText comm = new ByteText(MAX_COMM_BYTES);
            comm.set(line, 0, Math.max(0, line.length - 1));
            return comm;
        });
    }

    /** Its pids, from the namespace of this procfs to its own; empty when it is gone. */
    public List<Integer> namespacePids(long pid) {
        Matcher line = NS_PID.matcher(text(pid, "status").orElse(""));
        return line.find()
                ? Stream.of(line.group(1).strip().split("\\s+"))
                        .map(Integer::valueOf)
                        .toList()
                : List.of();
    }

    /** The time since its start, to a hundredth of a second. */
    public Optional<Duration> age(long pid) {
        // 35467.91 70401.22
        return stat(pid).flatMap(stat -> uptime().map(uptime -> uptime.minus(stat.startedAfterBoot())));
    }

    /** The time since the boot, to a hundredth of a second. */
    public Optional<Duration> uptime() {
        try {
            return bytes(procRoot.resolve("uptime"))
                    .map(bytes -> new String(bytes, ISO_8859_1).split(" ", 0)[0])
                    .map(seconds -> Duration.ofMillis((long) (Double.parseDouble(seconds) * 1000)));
        } catch (NumberFormatException e) {
            return Optional.empty();
        }
    }

    /** Its state; that of the thread where the number is a thread's. */
    public Optional<ProcStat> stat(long pid) {
        return text(pid, "stat").flatMap(ProcStat::parse);
    }

    /** Its arguments, the program first. */
    public Optional<List<String>> commandLine(long pid) {
        return strings(pid, "cmdline");
    }

    /** The environment variables that it was started with, {@code NAME=value} each. */
    public Optional<List<String>> environment(long pid) {
        return strings(pid, "environ");
    }

    private Optional<List<String>> strings(long pid, String file) {
        return text(pid, file).map(zeroTerminated -> List.of(zeroTerminated.split("\0")));
    }

    private Optional<String> text(long pid, String file) {
        return bytes(pid, file).map(bytes -> new String(bytes, ISO_8859_1));
    }

    private Optional<byte[]> bytes(long pid, String file) {
        return bytes(procRoot.resolve(Long.toString(pid)).resolve(file));
    }

    /** Empty when the file is gone, not readable or too long. */
    private static Optional<byte[]> bytes(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            byte[] bytes = in.readNBytes(MAX_BYTES);
            return bytes.length < MAX_BYTES ? Optional.of(bytes) : Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        }
    }
}
