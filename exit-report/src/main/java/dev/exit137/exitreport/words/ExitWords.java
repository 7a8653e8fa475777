package dev.exit137.exitreport.words;

import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.Sender;
import java.time.Duration;
import java.util.Locale;

/** Subjects, signals, senders and times in words. */
public final class ExitWords {
    private ExitWords() {}

    /** Returns the name of a signal (signal(7), x86 and ARM): {@code SIGKILL}, {@code SIGRTMIN+3}, or its number. */
    public static String signal(int number) {
        return number >= 1 && number <= Signals.MAX ? Signals.of(number).name() : "signal " + number;
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

    /**
     * Returns a process that sent a signal: {@code /usr/bin/bash (pid 4711)}. It says nothing about a person: not every
     * reader of the sentence may know who was logged in.
     */
    public static String sender(Sender sender) {
        String program = sender.getExe().isEmpty() ? sender.getComm() : sender.getExe();
        return (program.isEmpty() ? "a process" : program) + " (pid "
                + (sender.hasTgid() ? sender.getTgid() : sender.getPid()) + ")";
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
