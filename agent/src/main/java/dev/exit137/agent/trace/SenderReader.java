package dev.exit137.agent.trace;

import dev.exit137.agent.linux.ProcessFiles;
import dev.exit137.daemon.procfs.ProcStat;
import dev.exit137.oomreport.event.CgroupPath;
import dev.exit137.proto.v1.ProcessRef;
import dev.exit137.proto.v1.Sender;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads the sender of a signal, and the victim's cgroup, from procfs (proc(5)). The sender may be gone within
 * milliseconds, so the cgroup comes first and the command line last. A file that is gone leaves its field empty. A
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
    /** The line is bounded afterwards: a secret must be seen whole with the word before it. */
    private static final int COMMAND_LINE_BYTES = 4 * SenderCommand.MAX_BYTES;

    private static final String ROOT = "/";

    private final ProcessFiles files;
    private final SenderCommand command;
    private final TraceClock clock;
    /** By thread; that of a request to end under the negative number, as it has fewer parents. */
    private final Map<Integer, Known> read = new HashMap<>();

    private boolean countsAsTheKernel;
    private static final int WARM_UPS = 40;

    private int lookups;

    private record Known(Sender sender, Duration startedAfterBoot) {}

    SenderReader(ProcessFiles files, SenderCommand command, TraceClock clock) {
        this.files = files;
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
            sender(pid, true, clock.nowNanos());
            victimCgroup(pid, clock.nowNanos());
        }
        onWakeUp();
    }

    /** Begins a wake-up: processes are read again. */
    void onWakeUp() {
        lookups = 0;
        if (!read.isEmpty()) {
            read.clear();
        }
    }

    /**
     * The sender; with its pid alone if it is gone, or too many were read in this wake-up.
     *
     * @param thread in the initial pid namespace
     * @param isKill whether all parents are read
     * @param timestampNanos of the signal
     */
    Sender sender(int thread, boolean isKill, long timestampNanos) {
        int key = isKill ? thread : -thread;
        Known known = read.get(key);
        if (known != null && clock.wasThere(known.startedAfterBoot(), timestampNanos)) {
            return known.sender();
        }
        Sender.Builder sender = Sender.newBuilder().setPid(thread);
        if (!mayRead()) {
            return sender.build();
        }
        // A one-shot such as runc or kill has none of them a moment later; its executable goes first.
        String executable = files.executable(thread).orElse("");
        String cgroup = files.cgroupPath(thread).orElse("");
        return files.stat(thread)
                .filter(stat -> clock.wasThere(stat.startedAfterBoot(), timestampNanos))
                .map(stat -> {
                    fill(sender, thread, executable, cgroup, stat, isKill ? MAX_PARENTS : MAX_PARENTS_OF_A_REQUEST);
                    Sender whole = sender.build();
                    read.put(key, new Known(whole, stat.startedAfterBoot()));
                    return whole;
                })
                .orElseGet(sender::build);
    }

    /** The victim's cgroup; empty if it is not known any more. */
    String victimCgroup(int thread, long timestampNanos) {
        if (!mayRead()) {
            return "";
        }
        String cgroup = files.cgroupPath(thread).orElse("");
        // On cgroup v1 a process on its way out is shown in the root.
        return files.stat(thread)
                .filter(stat -> clock.wasThere(stat.startedAfterBoot(), timestampNanos))
                .filter(stat -> !(stat.isExiting() && cgroup.equals(ROOT)))
                .map(stat -> cgroup)
                .orElse("");
    }

    private boolean mayRead() {
        return countsAsTheKernel && lookups++ < LOOKUPS_PER_WAKEUP;
    }

    private void fill(
            Sender.Builder sender, int thread, String executable, String cgroup, ProcStat stat, int maxParents) {
        List<String> arguments = files.firstArguments(thread, COMMAND_LINE_BYTES);
        files.comm(thread).ifPresent(comm -> sender.setComm(comm.toString()));
        files.ids(thread).ifPresent(ids -> sender.setTgid(ids.tgid()).setUid(ids.uid()));
        files.loginUid(thread).ifPresent(sender::setLoginuid);
        sender.setExe(executable).setCmdline(command.of(executable, arguments)).setTty(terminal(stat.terminal()));
        if (!(stat.isExiting() && cgroup.equals(ROOT))) {
            CgroupPath path = CgroupPath.parse(cgroup);
            sender.setCgroup(cgroup).setUnit(path.unit());
            path.described().ifPresent(sender::setContainer);
        }
        addParents(sender, stat.parentPid(), maxParents);
    }

    private void addParents(Sender.Builder sender, int first, int maxParents) {
        int pid = first;
        while (pid > 0 && sender.getParentsCount() < maxParents) {
            ProcessRef.Builder parent = sender.addParentsBuilder().setPid(pid);
            files.comm(pid).ifPresent(comm -> parent.setComm(comm.toString()));
            files.executable(pid).ifPresent(parent::setExe);
            pid = files.stat(pid).map(ProcStat::parentPid).orElse(0);
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
