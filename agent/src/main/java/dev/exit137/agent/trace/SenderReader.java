package dev.exit137.agent.trace;

import dev.exit137.agent.linux.ProcessFiles;
import dev.exit137.agent.linux.ProcessReader;
import dev.exit137.daemon.procfs.ProcStat;
import dev.exit137.oomreport.event.CgroupPath;
import dev.exit137.proto.v1.Sender;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Reads the sender of a signal, and the victim's cgroup, from procfs (proc(5)). The sender may be gone within
 * milliseconds, so its files are all read before the first is understood. A file that is gone leaves its field empty. A
 * process that started after the signal is another one with the same number, and is not read.
 *
 * <p>A wake-up reads at most {@link #LOOKUPS_PER_WAKEUP} processes, and each sender once. Owned by the agent-epoll
 * thread.
 */
final class SenderReader {
    /** Some hundred milliseconds at worst. */
    static final int LOOKUPS_PER_WAKEUP = 512;

    private static final int MAX_PARENTS = 16;
    /** A request to end is followed by a kill, or by an end in time: who began it matters less. */
    private static final int MAX_PARENTS_OF_A_REQUEST = 4;

    private static final int WARM_UPS = 40;
    private static final String ROOT = "/";

    private final ProcessFiles files;
    private final ProcessReader process;
    private final ProcessReader victim;
    private final SenderCommand command;
    private final TraceClock clock;
    /** By thread; that of a request to end under the negative number, as it has fewer parents. */
    private final Map<Integer, Known> read = new HashMap<>();

    private boolean countsAsTheKernel;
    private int lookups;

    /**
     * Both sides of a signal.
     *
     * @param sender with its pid alone if it is gone, or too many were read in this wake-up
     * @param victimPid the victim's process; the thread itself if it is not known any more
     * @param victimCgroup empty if it is not known any more
     * @param victimExe empty if it is not known any more
     */
    record Sides(Sender sender, int victimPid, String victimCgroup, String victimExe) {}

    private record Known(Sender sender, Duration startedAfterBoot) {}

    /** @param procRoot the host's procfs */
    SenderReader(Path procRoot, SenderCommand command, TraceClock clock) {
        files = new ProcessFiles(procRoot);
        process = new ProcessReader(procRoot);
        victim = new ProcessReader(procRoot);
        this.command = command;
        this.clock = clock;
    }

    /** Whether the pids of this procfs are the kernel's; if not, no process is read. */
    boolean countsAsTheKernel() {
        return countsAsTheKernel;
    }

    /** Looks whether the pids of this procfs are the kernel's. */
    void open() {
        countsAsTheKernel = files.countsAsTheKernel();
    }

    /** Reads a process that stays, some times: the first sender that counts may be gone in a millisecond. */
    void warmUp(int pid) {
        for (int i = 0; i < WARM_UPS; i++) {
            onWakeUp();
            read(pid, pid, true, clock.nowNanos());
        }
        onWakeUp();
    }

    /** Closes the directory of procfs; the next read opens it again. */
    void close() {
        process.close();
        victim.close();
    }

    /** Begins a wake-up: processes are read again. */
    void onWakeUp() {
        lookups = 0;
        if (!read.isEmpty()) {
            read.clear();
        }
    }

    /**
     * Reads both sides of a signal.
     *
     * @param thread of the sender, in the initial pid namespace; 0 if it is not known
     * @param victimThread in the initial pid namespace
     * @param isKill whether all parents are read
     * @param timestampNanos of the signal
     */
    Sides read(int thread, int victimThread, boolean isKill, long timestampNanos) {
        int key = isKill ? thread : -thread;
        Known known = read.get(key);
        Sender sender =
                known != null && clock.wasThere(known.startedAfterBoot(), timestampNanos) ? known.sender() : null;
        boolean reads = thread > 0 && sender == null && mayRead();
        // Both may be gone in a moment: all bytes first, their meaning afterwards.
        if (reads) {
            process.readAll(thread);
        }
        boolean readsVictim = mayRead();
        if (readsVictim) {
            victim.readVictim(victimThread);
        }
        if (sender == null) {
            sender = reads ? sender(thread, key, isKill, timestampNanos) : unread(thread);
        }
        return sides(sender, victimThread, readsVictim, timestampNanos);
    }

    private Sides sides(Sender sender, int victimThread, boolean readsVictim, long timestampNanos) {
        Optional<ProcStat> stat = readsVictim
                ? victim.stat().filter(found -> clock.wasThere(found.startedAfterBoot(), timestampNanos))
                : Optional.empty();
        return stat.map(found -> new Sides(
                        sender,
                        victim.tgid() > 0 ? (int) victim.tgid() : victimThread,
                        cgroup(victim, found),
                        victim.executable()))
                .orElseGet(() -> new Sides(sender, victimThread, "", ""));
    }

    private static Sender unread(int thread) {
        return thread > 0 ? Sender.newBuilder().setPid(thread).build() : Sender.getDefaultInstance();
    }

    private Sender sender(int thread, int key, boolean isKill, long timestampNanos) {
        Optional<ProcStat> stat =
                process.stat().filter(found -> clock.wasThere(found.startedAfterBoot(), timestampNanos));
        if (stat.isEmpty()) {
            return unread(thread);
        }
        Sender.Builder sender = Sender.newBuilder().setPid(thread);
        fill(sender, stat.get());
        addParents(sender, stat.get().parentPid(), isKill ? MAX_PARENTS : MAX_PARENTS_OF_A_REQUEST);
        Sender whole = sender.build();
        read.put(key, new Known(whole, stat.get().startedAfterBoot()));
        return whole;
    }

    /** On cgroup v1 a process on its way out is shown in the root, wherever it was. */
    private static String cgroup(ProcessReader process, ProcStat stat) {
        String cgroup = process.cgroup();
        return stat.isExiting() && cgroup.equals(ROOT) ? "" : cgroup;
    }

    private boolean mayRead() {
        return countsAsTheKernel && lookups++ < LOOKUPS_PER_WAKEUP;
    }

    private void fill(Sender.Builder sender, ProcStat stat) {
        String executable = process.executable();
        sender.setComm(process.comm())
                .setExe(executable)
                .setCmdline(command.of(executable, process.arguments()))
                .setTty(terminal(stat.terminal()));
        if (process.tgid() > 0) {
            sender.setTgid((int) process.tgid());
        }
        if (process.uid() >= 0) {
            sender.setUid((int) process.uid());
        }
        if (process.loginUid() >= 0) {
            sender.setLoginuid((int) process.loginUid());
        }
        String cgroup = cgroup(process, stat);
        if (!cgroup.isEmpty()) {
            CgroupPath path = CgroupPath.parse(cgroup);
            sender.setCgroup(cgroup).setUnit(path.unit());
            path.described().ifPresent(sender::setContainer);
        }
    }

    private void addParents(Sender.Builder sender, int first, int maxParents) {
        int pid = first;
        while (pid > 0 && sender.getParentsCount() < maxParents) {
            process.readProgram(pid);
            sender.addParentsBuilder().setPid(pid).setComm(process.comm()).setExe(process.executable());
            pid = process.stat().map(ProcStat::parentPid).orElse(0);
        }
    }

    /**
     * The path of a terminal by its device number, as {@code tty_nr} of proc_pid_stat(5) has it
     * (Documentation/admin-guide/devices.txt).
     */
    static String terminal(int number) {
        int major = (number >>> 8) & 0xfff;
        int minor = (number & 0xff) | ((number >>> 12) & 0xfff00);
        return switch (major) {
            case 0 -> "";
            case 4 -> minor < 64 ? "/dev/tty" + minor : "/dev/ttyS" + (minor - 64);
            case 136, 137, 138, 139, 140, 141, 142, 143 -> "/dev/pts/" + ((major - 136) * 256 + minor);
            default -> "/dev/char/" + major + ":" + minor;
        };
    }
}
