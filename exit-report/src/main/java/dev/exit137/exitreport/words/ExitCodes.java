package dev.exit137.exitreport.words;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What an exit code usually means: the conventions of shells (POSIX, bash(1)), of Docker (docker-run(1)), of systemd
 * (systemd.exec(5)) and of sysexits.h. A program may end with any code for its own reasons, so each text says what a
 * code usually means, and never what happened.
 */
public final class ExitCodes {
    /** The largest exit code. */
    public static final int MAX = 255;

    /** A shell adds this to the number of the signal that ended a process. */
    public static final int SIGNAL_BASE = 128;

    /**
     * An exit code in words.
     *
     * @param headline the usual meaning, without a full stop
     * @param details whole sentences: who uses it, how to tell its causes apart, what to look at; may be empty
     */
    public record Code(int code, String headline, List<String> details) {
        /** Copies the mutable list. */
        public Code {
            details = List.copyOf(details);
        }
    }

    private static final String OWN = "the program's own: no convention gives it a meaning";

    private static final Map<Integer, Code> SPECIAL = Map.ofEntries(
            code(
                    0,
                    "success",
                    "The program ended by itself and says that all went well.",
                    "A container can end with 0 although the kernel killed a child process in it for memory: Kubernetes then "
                            + "says OOMKilled with exit code 0."),
            code(
                    1,
                    "a general error of the program",
                    "The program ended by itself. Its own log says why.",
                    "An uncaught exception of Java, Python or Node.js ends with 1, too."),
            code(
                    2,
                    "wrong usage",
                    "Shells and many tools end with 2 if their arguments are wrong. A panic of a Go program ends with 2, too."),
            code(
                    124,
                    "timeout(1): the time was over",
                    "timeout ended the command that it ran. With --signal=KILL the code is 137 instead."),
            code(
                    125,
                    "Docker: the container could not be created or started",
                    "docker run says it of itself: a bad flag, a port that is in use, a missing device. The program did not run.",
                    "timeout(1), xargs and git bisect use 125, too."),
            code(
                    126,
                    "the program was found, but cannot be executed",
                    "A shell and docker run say it: the file is not executable (chmod +x), is a directory, is built for another "
                            + "processor, or its file system is mounted noexec."),
            code(
                    127,
                    "the program was not found",
                    "A shell and docker run say it: a wrong path, a name that PATH does not have, or a script whose interpreter "
                            + "(#!) is missing. A dynamic linker that misses a library ends with 127, too."),
            code(
                    128,
                    "the runtime failed to start the container",
                    "containerd reports it with the reason StartError: the image's entry point is missing, or a mount failed. The "
                            + "container's status has the message.",
                    "git ends with 128 after a fatal error, and a shell after 'exit' with a wrong argument."),
            code(
                    137,
                    "128 + 9: SIGKILL ended the process",
                    "Nothing in the program could run any more: SIGKILL cannot be caught. So its own log says nothing.",
                    "The code does not say who sent it. The kernel's OOM killer does, but also: the runtime after the grace period "
                            + "of a stop (10 s for Docker, 30 s in Kubernetes), docker kill and docker rm -f, a failed "
                            + "liveness probe, an eviction, systemd after TimeoutStopSec, systemd-oomd and earlyoom, "
                            + "another process, a person.",
                    "OOMKilled in a status is no proof: the runtime says so if any process in the container was killed for "
                            + "memory at any time.",
                    "A shell as process 1 also ends with 137 if SIGKILL ended its child, and a program may say 137 itself.",
                    "exit137 why NAME says who it was, as far as there is evidence."),
            code(
                    143,
                    "128 + 15: SIGTERM ended the process",
                    "Something asked it to end: docker stop, kubelet, systemd, kill. It has no handler for SIGTERM, or the handler "
                            + "ends with 143, as that of a JVM does.",
                    "This is an ordinary end at a rollout or a stop, within the grace period. Find out who asked, if nobody "
                            + "should have.",
                    "As process 1 of a container, a program without a handler for SIGTERM ignores it: then 137 follows after the "
                            + "grace period."),
            code(
                    139,
                    "128 + 11: SIGSEGV ended the process",
                    "It touched memory that is not its own: a defect in native code, or of the hardware. The kernel's log "
                            + "has a line with 'segfault at', unless the process has a handler for it."),
            code(
                    134,
                    "128 + 6: SIGABRT ended the process",
                    "It gave up itself: abort(), a failed assertion, a corrupt heap. A JVM ends so after a fatal error, and writes "
                            + "hs_err_pidN.log; with -XX:+CrashOnOutOfMemoryError also without memory."),
            code(
                    159,
                    "128 + 31: SIGSYS ended the process",
                    "It made a system call that its seccomp filter forbids. The kernel's audit log has a record SECCOMP, if "
                            + "the filter asks for it."),
            code(
                    255,
                    "an error outside of the range, or a code that nobody knows",
                    "A program that ends with -1 has the code 255. ssh ends with 255 if the connection failed.",
                    "Docker and containerd report 255 for a container whose end they did not see: its shim died, or the machine "
                            + "was started again."));

    /** sysexits.h, from 64. */
    private static final List<String> SYSEXITS = List.of(
            "EX_USAGE: wrong usage",
            "EX_DATAERR: the input is wrong",
            "EX_NOINPUT: an input file cannot be read",
            "EX_NOUSER: the user is unknown",
            "EX_NOHOST: the host is unknown",
            "EX_UNAVAILABLE: a service or file that it needs is missing",
            "EX_SOFTWARE: a defect of the program",
            "EX_OSERR: an error of the operating system",
            "EX_OSFILE: a file of the system is missing or wrong",
            "EX_CANTCREAT: an output file cannot be created",
            "EX_IOERR: an error of input or output",
            "EX_TEMPFAIL: a failure that passes; try again",
            "EX_PROTOCOL: the other side broke the protocol",
            "EX_NOPERM: permission denied",
            "EX_CONFIG: the configuration is wrong");

    private static final int FIRST_SYSEXIT = 64;
    private static final int FIRST_SYSTEMD = 200;

    /** systemd.exec(5), from 200; empty where there is none. */
    private static final List<String> SYSTEMD = List.of(
            "CHDIR",
            "NICE",
            "FDS",
            "EXEC",
            "MEMORY",
            "LIMITS",
            "OOM_ADJUST",
            "SIGNAL_MASK",
            "STDIN",
            "STDOUT",
            "CHROOT",
            "IOPRIO",
            "TIMERSLACK",
            "SECUREBITS",
            "SETSCHEDULER",
            "CPUAFFINITY",
            "GROUP",
            "USER",
            "CAPABILITIES",
            "CGROUP",
            "SETSID",
            "CONFIRM",
            "STDERR",
            "",
            "PAM",
            "NETWORK",
            "NAMESPACE",
            "NO_NEW_PRIVILEGES",
            "SECCOMP",
            "SELINUX_CONTEXT",
            "PERSONALITY",
            "APPARMOR_PROFILE",
            "ADDRESS_FAMILIES",
            "RUNTIME_DIRECTORY",
            "",
            "CHOWN",
            "SMACK_PROCESS_LABEL",
            "KEYRING",
            "STATE_DIRECTORY",
            "CACHE_DIRECTORY",
            "LOGS_DIRECTORY",
            "CONFIGURATION_DIRECTORY",
            "NUMA_POLICY",
            "CREDENTIALS",
            "",
            "BPF");

    private ExitCodes() {}

    /**
     * The usual meaning of an exit code.
     *
     * @throws IllegalArgumentException the code is not 0 to 255
     */
    public static Code of(int code) {
        if (code < 0 || code > MAX) {
            throw new IllegalArgumentException("an exit code is a number from 0 to " + MAX + ", and not " + code);
        }
        Code special = SPECIAL.get(code);
        if (special != null) {
            return special;
        }
        if (code > SIGNAL_BASE && code <= SIGNAL_BASE + Signals.MAX) {
            return ofSignal(code, Signals.of(code - SIGNAL_BASE));
        }
        if (code >= FIRST_SYSEXIT && code < FIRST_SYSEXIT + SYSEXITS.size()) {
            return new Code(
                    code,
                    SYSEXITS.get(code - FIRST_SYSEXIT),
                    List.of("sysexits.h defines it; mail programs use it, most others do not."));
        }
        if (code >= FIRST_SYSTEMD && code < FIRST_SYSTEMD + SYSTEMD.size()) {
            String name = SYSTEMD.get(code - FIRST_SYSTEMD);
            if (!name.isEmpty()) {
                return new Code(
                        code,
                        "systemd: EXIT_" + name + ", the service could not be started",
                        List.of(
                                "systemd says it of a service before its program runs: the step in the name failed, and the "
                                        + "journal of the unit has the reason. In a container it is the program's own."));
            }
        }
        return new Code(code, OWN, List.of());
    }

    /** All codes, 0 to 255. */
    public static List<Code> all() {
        List<Code> all = new ArrayList<>();
        for (int code = 0; code <= MAX; code++) {
            all.add(of(code));
        }
        return all;
    }

    private static Code ofSignal(int code, Signals.Signal signal) {
        String sum = SIGNAL_BASE + " + " + signal.number() + ": " + signal.name();
        return signal.ends()
                ? new Code(
                        code,
                        sum + " ended the process",
                        List.of(
                                upperFirst(signal.name()) + ": " + signal.meaning() + ".",
                                "A program may also say " + code + " itself."))
                : new Code(
                        code,
                        sum + ", which ends no process",
                        List.of(
                                signal.name() + ": " + signal.meaning() + ".",
                                "By default it does not end a process, so the program probably said " + code
                                        + " itself."));
    }

    private static String upperFirst(String text) {
        return Character.toUpperCase(text.charAt(0)) + text.substring(1);
    }

    private static Map.Entry<Integer, Code> code(int code, String headline, String... details) {
        return Map.entry(code, new Code(code, headline, List.of(details)));
    }
}
