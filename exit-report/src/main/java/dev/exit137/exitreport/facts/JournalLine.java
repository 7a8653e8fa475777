package dev.exit137.exitreport.facts;

import dev.exit137.exitreport.words.Signals;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A line that systemd itself wrote into the journal about a unit's processes (systemd.journal-fields(7), and
 * src/systemd/sd-messages.h for the message ids). Any program can write the same text, and the same message id; only
 * journald writes {@code _PID}, from the sender's credentials, so a line counts if it is from process 1. One kind is not: the
 * process that was to become a unit's main program says itself why it could not. journald knows its unit, {@code
 * _SYSTEMD_UNIT}, unless the process was gone too soon; so what rests on it is inferred.
 *
 * @param time journald's
 * @param invocationId of the unit's life; empty if not stated
 * @param word EXITED: {@code killed}, {@code dumped}, {@code exited}; RESULT: the result; STOPPING, STOPPED: the type of
 *     the job; KILLING: the process's comm; START_FAILED: the step; otherwise empty
 * @param number EXITED: the signal, or the exit code; STOPPING, STOPPED: the job's id; KILLING, CLIENT_SIGNAL: the
 *     signal; START_FAILED: errno; otherwise null
 * @param pid KILLING, CLIENT_SIGNAL: who gets the signal; otherwise null
 */
public record JournalLine(
        Instant time,
        String unit,
        String invocationId,
        Kind kind,
        String word,
        @Nullable Integer number,
        @Nullable Integer pid) {
    /** What systemd says. */
    public enum Kind {
        /** The main program could not be executed. */
        START_FAILED,
        /** The main process ended. */
        EXITED,
        /** The unit failed with this result. */
        RESULT,
        /** The kernel killed a process of the unit for memory. */
        OOM,
        /** A job stops the unit. */
        STOPPING,
        /** The job is done. */
        STOPPED,
        /** The unit did not start within TimeoutStartSec. */
        START_TIMED_OUT,
        /** The unit did not stop within TimeoutStopSec. */
        STOP_TIMED_OUT,
        /** The unit ran for RuntimeMaxSec. */
        RUNTIME_LIMIT,
        /** The unit did not report within WatchdogSec. */
        WATCHDOG,
        /** systemd sends a signal, after a timeout or because the unit's other processes have to go. */
        KILLING,
        /** systemd sends a signal because a client asked for it. */
        CLIENT_SIGNAL
    }

    private static final String PROCESS_EXIT = "98e322203f7a4ed290d09fe03c09fe15";
    private static final String UNIT_FAILURE_RESULT = "d9b373ed55a64feb8242e02dbe79a49c";
    private static final String UNIT_OUT_OF_MEMORY = "fe6faa94e7774663a0da52717891d8ef";
    private static final String SPAWN_FAILED = "641257651c1b4ec9a8624d7a40a9e1e7";
    private static final String UNIT_STOPPING = "de5b426a63be47a7b6ac3eaac82e2f6f";
    private static final String UNIT_STOPPED = "9d1aaa27d60140bd96365438aad20286";

    /** {@code Killing process 221 (slow.sh) with signal SIGKILL.} */
    private static final Pattern KILLING =
            Pattern.compile("Killing process ([0-9]{1,9}) \\((.*)\\) with signal (SIG[A-Z0-9]+)\\.");
    /** {@code Sent signal SIGKILL to main process 233 (sleep) on client request.} */
    private static final Pattern CLIENT = Pattern.compile(
            "Sent signal (SIG[A-Z0-9]+) to (?:main |control )?process ([0-9]{1,9}) \\(.*\\) on client request\\.");
    /** {@code Failed at step EXEC spawning /no/such/program: No such file or directory} */
    private static final Pattern START_FAILURE =
            Pattern.compile("Failed at step ([A-Z_]+) spawning .*", Pattern.DOTALL);
    /** {@code State 'stop-sigterm' timed out. Killing.} */
    private static final Pattern STOP_TIMEOUT = Pattern.compile("State '(?:stop|final)-[a-z]+' timed out\\. .*");
    /** {@code start operation timed out. Terminating.} */
    private static final Pattern START_TIMEOUT = Pattern.compile("start(?:-pre|-post)? operation timed out\\. .*");
    /** {@code Watchdog timeout (limit 1s)!} */
    private static final Pattern WATCHDOG = Pattern.compile("Watchdog timeout \\(limit .*\\)!");

    private static final String RUNTIME_LIMIT = "Service reached runtime time limit. Stopping.";
    private static final int MAX_DIGITS = 9;

    /** The ids of the messages that are understood; the lines without an id are known by their text. */
    public static final List<String> MESSAGE_IDS =
            List.of(PROCESS_EXIT, UNIT_FAILURE_RESULT, UNIT_OUT_OF_MEMORY, SPAWN_FAILED, UNIT_STOPPING, UNIT_STOPPED);

    /**
     * Reads a line.
     *
     * @param fields of the journal; {@code _PID}, {@code UNIT}, {@code MESSAGE_ID}, {@code MESSAGE}, …
     * @return empty for a line that says nothing about an end, and for one that is not systemd's own
     */
    public static Optional<JournalLine> of(Map<String, String> fields) {
        return isOfSystemd(fields) ? read(fields) : Optional.empty();
    }

    /** Returns whether a line that is not systemd's says what only systemd can say. */
    public static boolean isLie(Map<String, String> fields) {
        return !isOfSystemd(fields) && read(fields).isPresent();
    }

    /** Returns whether process 1 wrote the line, as journald saw it, or the process that it is about. */
    private static boolean isOfSystemd(Map<String, String> fields) {
        boolean speaksForItself = text(fields, "MESSAGE_ID").equals(SPAWN_FAILED)
                && (text(fields, "_SYSTEMD_UNIT").isEmpty()
                        || text(fields, "_SYSTEMD_UNIT").equals(text(fields, "UNIT")));
        return (speaksForItself || text(fields, "_PID").equals("1"))
                && text(fields, "_TRANSPORT").equals("journal");
    }

    private static Optional<JournalLine> read(Map<String, String> fields) {
        String unit = text(fields, "UNIT");
        Instant time = time(text(fields, "__REALTIME_TIMESTAMP"));
        if (unit.isEmpty() || time == null) {
            return Optional.empty();
        }
        String jobType = text(fields, "JOB_TYPE");
        Integer job = number(text(fields, "JOB_ID"));
        return switch (text(fields, "MESSAGE_ID")) {
            case PROCESS_EXIT -> {
                Integer status = number(text(fields, "EXIT_STATUS"));
                // The control processes of a unit (ExecStartPre=, ExecStop=) have this message, too.
                yield status == null || !text(fields, "MESSAGE").contains(": Main process exited, ")
                        ? Optional.empty()
                        : line(fields, time, Kind.EXITED, text(fields, "EXIT_CODE"), status, null);
            }
            case SPAWN_FAILED -> {
                Matcher failure = START_FAILURE.matcher(said(fields, unit));
                yield failure.matches()
                        ? line(fields, time, Kind.START_FAILED, failure.group(1), number(text(fields, "ERRNO")), null)
                        : Optional.empty();
            }
            case UNIT_FAILURE_RESULT -> line(fields, time, Kind.RESULT, text(fields, "UNIT_RESULT"), null, null);
            case UNIT_OUT_OF_MEMORY -> line(fields, time, Kind.OOM, "", null, null);
            case UNIT_STOPPING -> line(fields, time, Kind.STOPPING, jobType, job, null);
            case UNIT_STOPPED -> line(fields, time, Kind.STOPPED, jobType, job, null);
            case "" -> ofText(fields, unit, time);
            default -> Optional.empty();
        };
    }

    /** Reads what has no message id: the text is all there is. */
    private static Optional<JournalLine> ofText(Map<String, String> fields, String unit, Instant time) {
        String said = said(fields, unit);
        Matcher killing = KILLING.matcher(said);
        if (killing.matches()) {
            return line(
                    fields,
                    time,
                    Kind.KILLING,
                    killing.group(2),
                    signal(killing.group(3)),
                    Integer.valueOf(killing.group(1)));
        }
        Matcher client = CLIENT.matcher(said);
        if (client.matches()) {
            return line(
                    fields, time, Kind.CLIENT_SIGNAL, "", signal(client.group(1)), Integer.valueOf(client.group(2)));
        }
        if (STOP_TIMEOUT.matcher(said).matches()) {
            return line(fields, time, Kind.STOP_TIMED_OUT, "", null, null);
        }
        if (START_TIMEOUT.matcher(said).matches()) {
            return line(fields, time, Kind.START_TIMED_OUT, "", null, null);
        }
        if (WATCHDOG.matcher(said).matches()) {
            return line(fields, time, Kind.WATCHDOG, "", null, null);
        }
        return said.equals(RUNTIME_LIMIT) ? line(fields, time, Kind.RUNTIME_LIMIT, "", null, null) : Optional.empty();
    }

    /** Returns the message without the name of its unit before it; empty if it has another. */
    private static String said(Map<String, String> fields, String unit) {
        String message = text(fields, "MESSAGE");
        return message.startsWith(unit + ": ") ? message.substring(unit.length() + 2) : "";
    }

    private static Optional<JournalLine> line(
            Map<String, String> fields,
            Instant time,
            Kind kind,
            String word,
            @Nullable Integer number,
            @Nullable Integer pid) {
        return Optional.of(
                new JournalLine(time, text(fields, "UNIT"), text(fields, "INVOCATION_ID"), kind, word, number, pid));
    }

    private static String text(Map<String, String> fields, String name) {
        return fields.getOrDefault(name, "");
    }

    private static @Nullable Integer number(String text) {
        boolean isNumber =
                !text.isEmpty() && text.length() <= MAX_DIGITS && text.chars().allMatch(c -> c >= '0' && c <= '9');
        return isNumber ? Integer.valueOf(text) : null;
    }

    private static @Nullable Integer signal(String name) {
        int number = Signals.number(name);
        return number == 0 ? null : number;
    }

    private static @Nullable Instant time(String microseconds) {
        try {
            return Instant.EPOCH.plus(Long.parseLong(microseconds), ChronoUnit.MICROS);
        } catch (NumberFormatException e) {
            return null;
        }
    }
}
