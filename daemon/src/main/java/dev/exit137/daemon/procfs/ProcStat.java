package dev.exit137.daemon.procfs;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

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
    private static final long MAX_BEFORE_DIGIT = (Long.MAX_VALUE - 9) / 10;
    // PF_EXITING and PF_KTHREAD of include/linux/sched.h, the same since 2.6.27; PF_EXITING is older.
    private static final long EXITING = 0x4;
    private static final long KERNEL_THREAD = 0x0020_0000;
    // Numbers of fields of the file.
    private static final int FIRST_AFTER_NAME = 3;
    private static final int PPID = 4;
    private static final int TTY_NR = 7;
    private static final int FLAGS = 9;
    private static final int UTIME = 14;
    private static final int STIME = 15;
    private static final int START_TIME = 22;

    /** Parses the content of a stat file; empty if it is malformed. */
    public static Optional<ProcStat> parse(String stat) {
        byte[] bytes = stat.getBytes(ISO_8859_1);
        return parse(bytes, bytes.length);
    }

    /** Parses the content of a stat file, the first {@code length} bytes; empty if it is malformed. */
    public static Optional<ProcStat> parse(byte[] stat, int length) {
        // 4711 (java) S 1 4711 …: the name may contain any character, spaces and parentheses included.
        int at = length - 1;
        while (at >= 0 && stat[at] != ')') {
            at--;
        }
        at += 2;
        long parent = 0;
        long terminal = 0;
        long flags = 0;
        long ticks = 0;
        int field = FIRST_AFTER_NAME;
        while (at < length) {
            boolean isNegative = stat[at] == '-';
            long value = 0;
            for (at += isNegative ? 1 : 0; at < length && stat[at] > ' '; at++) {
                int digit = stat[at] - '0';
                if (field > FIRST_AFTER_NAME && (digit < 0 || digit > 9 || value > MAX_BEFORE_DIGIT)) {
                    return Optional.empty();
                }
                value = value * 10 + digit;
            }
            at++;
            value = isNegative ? -value : value;
            switch (field) {
                case PPID -> parent = value;
                case TTY_NR -> terminal = value;
                case FLAGS -> flags = value;
                case UTIME, STIME -> ticks += value;
                case START_TIME -> {
                    return Optional.of(new ProcStat(
                            (int) parent,
                            (int) terminal,
                            (flags & EXITING) != 0,
                            (flags & KERNEL_THREAD) != 0,
                            ticks(ticks),
                            ticks(value)));
                }
                default -> {
                    // Not needed.
                }
            }
            field++;
        }
        return Optional.empty();
    }

    private static Duration ticks(long number) {
        return Duration.ofMillis(number * MILLIS_PER_TICK);
    }
}
