package dev.exit137.daemon.procfs;

import java.time.Duration;
import java.util.Optional;

/**
 * The needed fields of {@code /proc/PID/stat}, proc_pid_stat(5). Their resolution is a hundredth of a second.
 *
 * @param parentPid process id of the parent; 0 for none
 * @param terminal device number of the controlling terminal; 0 for none
 * @param isExiting whether it is on its way out: files such as its cgroup may already say nothing
 * @param isKernelThread whether it is a thread of the kernel; such threads exist only in the initial pid namespace
 * @param cpuTime user and system time
 * @param startedAfterBoot start time, since boot
 */
public record ProcStat(
        int parentPid,
        int terminal,
        boolean isExiting,
        boolean isKernelThread,
        Duration cpuTime,
        Duration startedAfterBoot) {
    // USER_HZ is 100 on every architecture that Java supports.
    private static final long MILLIS_PER_TICK = 10;
    // PF_EXITING and PF_KTHREAD of include/linux/sched.h, the same since 2.6.27; PF_EXITING is older.
    private static final long EXITING = 0x4;
    private static final long KERNEL_THREAD = 0x0020_0000;
    // Fields, counted from the field after the name; that is the third field of the file.
    private static final int PPID = 4 - 3;
    private static final int TTY_NR = 7 - 3;
    private static final int FLAGS = 9 - 3;
    private static final int UTIME = 14 - 3;
    private static final int STIME = 15 - 3;
    private static final int START_TIME = 22 - 3;

    /** Parses the content of a stat file; empty if it is malformed. */
    public static Optional<ProcStat> parse(String stat) {
        // 4711 (java) S 1 4711 …: the name may contain any character, spaces and parentheses included.
        String[] fields = stat.substring(stat.lastIndexOf(')') + 1).strip().split(" ", 0);
        try {
            long flags = Long.parseLong(fields[FLAGS]);
            return Optional.of(new ProcStat(
                    Integer.parseInt(fields[PPID]),
                    Integer.parseInt(fields[TTY_NR]),
                    (flags & EXITING) != 0,
                    (flags & KERNEL_THREAD) != 0,
                    ticks(fields[UTIME]).plus(ticks(fields[STIME])),
                    ticks(fields[START_TIME])));
        } catch (NumberFormatException | IndexOutOfBoundsException e) {
            return Optional.empty();
        }
    }

    private static Duration ticks(String field) {
        return Duration.ofMillis(Long.parseLong(field) * MILLIS_PER_TICK);
    }
}
