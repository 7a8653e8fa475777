package dev.exit137.exitreport.words;

import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.Sender;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;

/** Subjects, signals, senders and times in words. */
public final class ExitWords {
    private static final Map<Integer, String> SIGNALS = Map.ofEntries(
            Map.entry(1, "SIGHUP"),
            Map.entry(2, "SIGINT"),
            Map.entry(3, "SIGQUIT"),
            Map.entry(4, "SIGILL"),
            Map.entry(5, "SIGTRAP"),
            Map.entry(6, "SIGABRT"),
            Map.entry(7, "SIGBUS"),
            Map.entry(8, "SIGFPE"),
            Map.entry(9, "SIGKILL"),
            Map.entry(10, "SIGUSR1"),
            Map.entry(11, "SIGSEGV"),
            Map.entry(12, "SIGUSR2"),
            Map.entry(13, "SIGPIPE"),
            Map.entry(14, "SIGALRM"),
            Map.entry(15, "SIGTERM"),
            Map.entry(16, "SIGSTKFLT"),
            Map.entry(17, "SIGCHLD"),
            Map.entry(18, "SIGCONT"),
            Map.entry(19, "SIGSTOP"),
            Map.entry(20, "SIGTSTP"),
            Map.entry(21, "SIGTTIN"),
            Map.entry(22, "SIGTTOU"),
            Map.entry(23, "SIGURG"),
            Map.entry(24, "SIGXCPU"),
            Map.entry(25, "SIGXFSZ"),
            Map.entry(26, "SIGVTALRM"),
            Map.entry(27, "SIGPROF"),
            Map.entry(28, "SIGWINCH"),
            Map.entry(29, "SIGIO"),
            Map.entry(30, "SIGPWR"),
            Map.entry(31, "SIGSYS"));

    private ExitWords() {}

    /** Returns the name of a signal (signal(7), x86 and ARM): {@code SIGKILL}, {@code SIGRTMIN+3}, or its number. */
    public static String signal(int number) {
        if (number >= 34 && number <= 64) {
            return number == 34 ? "SIGRTMIN" : "SIGRTMIN+" + (number - 34);
        }
        return SIGNALS.getOrDefault(number, "signal " + number);
    }

    /** Returns what ended: {@code container shop/web-1/app}, {@code unit nginx.service}, {@code process 4711 (java)}. */
    public static String subject(ExitEvent event) {
        return switch (event.getSubject()) {
            case CONTAINER -> "container " + containerName(event);
            case UNIT -> "unit " + event.getUnit();
            case PROCESS, SUBJECT_UNSPECIFIED, UNRECOGNIZED ->
                "process " + event.getProcess().getPid()
                        + (event.getProcess().getComm().isEmpty()
                                ? ""
                                : " (" + event.getProcess().getComm() + ")");
        };
    }

    private static String containerName(ExitEvent event) {
        String pod = event.getContainer().getPod().getName();
        String namespace = event.getContainer().getPod().getNamespace();
        String name = event.getContainer().getName();
        if (name.isEmpty()) {
            String id = event.getContainer().getId();
            name = id.substring(0, Math.min(12, id.length()));
        }
        if (pod.isEmpty()) {
            return name;
        }
        return (namespace.isEmpty() ? "" : namespace + "/") + pod + "/" + name;
    }

    /** Returns a process that sent a signal: {@code /usr/bin/bash (pid 4711, uid 0, pts/0)}. */
    public static String sender(Sender sender) {
        String program = sender.getExe().isEmpty() ? sender.getComm() : sender.getExe();
        StringBuilder words = new StringBuilder(program.isEmpty() ? "a process" : program)
                .append(" (pid ")
                .append(sender.hasTgid() ? sender.getTgid() : sender.getPid());
        if (sender.hasUid()) {
            words.append(", uid ").append(sender.getUid());
        }
        if (sender.hasLoginuid()) {
            words.append(", login uid ").append(sender.getLoginuid());
        }
        if (!sender.getTty().isEmpty()) {
            words.append(", ").append(sender.getTty().replaceFirst("^/dev/", ""));
        }
        return words.append(')').toString();
    }

    /** Returns a time span with two digits or more: {@code 350 ms}, {@code 10.1 s}, {@code 4 min}, {@code 3 h}. */
    public static String span(Duration time) {
        double seconds = time.toNanos() / 1e9;
        if (seconds < 1) {
            return time.toMillis() + " ms";
        }
        if (seconds < 120) {
            return String.format(Locale.ROOT, "%.1f s", seconds).replace(".0 ", " ");
        }
        return seconds < 7200 ? time.toMinutes() + " min" : time.toHours() + " h";
    }
}
