package dev.exit137.daemon.procfs;

import java.time.Duration;
import java.util.Optional;

/**
 * {@code /proc/PID/stat}, proc_pid_stat(5), as far as it is needed. Times are in hundredths of a second.
 *
 * @param isKernelThread whether the kernel started it for itself; such threads are in the initial pid namespace alone
 * @param cpuTime of user and kernel
 * @param startedAfterBoot when it was started
 */
public record ProcStat(boolean isKernelThread, Duration cpuTime, Duration startedAfterBoot) {
  // USER_HZ is 100 on every architecture that Java runs on.
  private static final long MILLIS_PER_TICK = 10;
  // PF_KTHREAD of include/linux/sched.h, the same since 2.6.27.
  private static final long KERNEL_THREAD = 0x0020_0000;
  // Fields, counted from the field after the name, which is the third.
  private static final int FLAGS = 9 - 3;
  private static final int UTIME = 14 - 3;
  private static final int STIME = 15 - 3;
  private static final int START_TIME = 22 - 3;

  /** Reads the text of a stat file; empty where it is not one. */
  public static Optional<ProcStat> parse(String stat) {
    // 4711 (java) S 1 4711 …: the name may hold anything, spaces and parentheses included.
    String[] fields = stat.substring(stat.lastIndexOf(')') + 1).strip().split(" ", 0);
    try {
      return Optional.of(
          new ProcStat(
              (Long.parseLong(fields[FLAGS]) & KERNEL_THREAD) != 0,
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
