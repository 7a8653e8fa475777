package dev.exit137.exitreport.words;

import java.util.List;

/** The signals of Linux by their numbers on x86, ARM and RISC-V (signal(7)). */
public final class Signals {
    /** The largest number of a signal. */
    public static final int MAX = 64;

    private static final int FIRST_REALTIME = 34;

    /**
     * A signal.
     *
     * @param name without its number: {@code SIGKILL}
     * @param ends whether it ends a process that does not handle it
     * @param meaning who usually sends it, and why: the end of a sentence about it
     */
    public record Signal(int number, String name, boolean ends, String meaning) {}

    private static final List<Signal> STANDARD = List.of(
            ends(
                    1,
                    "SIGHUP",
                    "its terminal or its session was closed; daemons take it as \"read your settings again\""),
            ends(2, "SIGINT", "someone pressed Ctrl-C"),
            ends(3, "SIGQUIT", "someone pressed Ctrl-\\; a JVM prints its threads and goes on"),
            ends(4, "SIGILL", "it executed an instruction that this processor does not have"),
            ends(5, "SIGTRAP", "a breakpoint or an assertion in it"),
            ends(6, "SIGABRT", "it gave up: abort(), a failed assertion, a corrupt heap"),
            ends(7, "SIGBUS", "it touched memory that is not there, such as a mapped file that became shorter"),
            ends(8, "SIGFPE", "an arithmetic error, such as a division by zero"),
            ends(9, "SIGKILL", "it cannot be caught, blocked or ignored"),
            ends(10, "SIGUSR1", "the program decides on its meaning"),
            ends(11, "SIGSEGV", "it touched memory that is not its own"),
            ends(12, "SIGUSR2", "the program decides on its meaning"),
            ends(13, "SIGPIPE", "it wrote to a pipe or a socket that nobody reads"),
            ends(14, "SIGALRM", "a timer of its own, alarm()"),
            ends(15, "SIGTERM", "the polite request to end"),
            ends(16, "SIGSTKFLT", "Linux does not use it"),
            stays(17, "SIGCHLD", "a child of it ended"),
            stays(18, "SIGCONT", "it may continue after a stop"),
            stays(19, "SIGSTOP", "it stops until SIGCONT; it cannot be caught"),
            stays(20, "SIGTSTP", "someone pressed Ctrl-Z"),
            stays(21, "SIGTTIN", "it read from a terminal in the background"),
            stays(22, "SIGTTOU", "it wrote to a terminal in the background"),
            stays(23, "SIGURG", "urgent data came to a socket; Go uses it for its own scheduler"),
            ends(24, "SIGXCPU", "it reached its soft limit of processor time (RLIMIT_CPU)"),
            ends(25, "SIGXFSZ", "it wrote a file beyond its limit (RLIMIT_FSIZE)"),
            ends(26, "SIGVTALRM", "a timer of its own that counts processor time"),
            ends(27, "SIGPROF", "a timer of its own, for profiling"),
            stays(28, "SIGWINCH", "its terminal has a new size"),
            ends(29, "SIGIO", "a file descriptor is ready"),
            ends(30, "SIGPWR", "the power supply fails"),
            ends(31, "SIGSYS", "it made a system call that its seccomp filter forbids, or that does not exist"));

    private Signals() {}

    /**
     * The signal with this number.
     *
     * @throws IllegalArgumentException the number is not 1 to 64
     */
    public static Signal of(int number) {
        if (number < 1 || number > MAX) {
            throw new IllegalArgumentException("a signal has a number from 1 to " + MAX + ", and not " + number);
        }
        if (number <= STANDARD.size()) {
            return STANDARD.get(number - 1);
        }
        if (number < FIRST_REALTIME) {
            return ends(number, "signal " + number, "the C library uses it for its own threads");
        }
        return ends(number, realtimeName(number), "a realtime signal: the program decides on its meaning");
    }

    /** Returns the number of the signal with this name, such as {@code SIGKILL}; 0 if there is none. */
    public static int number(String name) {
        return STANDARD.stream()
                .filter(signal -> signal.name().equals(name))
                .mapToInt(Signal::number)
                .findFirst()
                .orElse(0);
    }

    private static String realtimeName(int number) {
        return "SIGRTMIN" + (number == FIRST_REALTIME ? "" : "+" + (number - FIRST_REALTIME));
    }

    private static Signal ends(int number, String name, String meaning) {
        return new Signal(number, name, true, meaning);
    }

    private static Signal stays(int number, String name, String meaning) {
        return new Signal(number, name, false, meaning);
    }
}
