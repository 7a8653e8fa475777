package dev.exit137.cli.local;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import dev.exit137.exitreport.facts.UnitState;
import dev.exit137.exitreport.words.Signals;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The ends of one unit in systemd's own lines of the journal. Only lines of process 1 count: any process can write a line
 * that looks like one; but for why a program could not be executed, which its own process says. The known messages have ids (systemd's catalog); the others are known by their English text, which
 * systemd does not translate.
 */
final class UnitJournal {
    private static final String STARTING = "7d4958e842da4a758f6c1cdc7b36dcc5";
    private static final String STARTED = "39f53479d3a045ac8e11786248231fbf";
    private static final String STOPPING = "de5b426a63be47a7b6ac3eaac82e2f6f";
    private static final String STOPPED = "9d1aaa27d60140bd96365438aad20286";
    private static final String PROCESS_EXIT = "98e322203f7a4ed290d09fe03c09fe15";
    private static final String FAILED = "d9b373ed55a64feb8242e02dbe79a49c";
    private static final String DEACTIVATED = "7ad2d189f7e94e70a38c781354912448";
    /** Said by the process that was to become the main program. */
    static final String SPAWN_FAILED = "641257651c1b4ec9a8624d7a40a9e1e7";

    private static final String OOM = "fe6faa94e7774663a0da52717891d8ef";

    // slow.service: Killing process 221 (slow.sh) with signal SIGKILL.
    private static final Pattern KILLING = Pattern.compile("Killing process (\\d+) \\((.*)\\) with signal SIGKILL\\.");
    // fine.service: Sent signal SIGKILL to main process 233 (sleep) on client request.
    private static final Pattern ON_REQUEST =
            Pattern.compile("Sent signal (SIG\\w+) to main process (\\d+) \\((.*)\\) on client request\\.");
    // miss.service: Failed at step EXEC spawning /no/such/program: No such file or directory
    private static final Pattern START_FAILURE =
            Pattern.compile("Failed at step ([A-Z_]+) spawning .*", Pattern.DOTALL);

    /** A message of systemd about a unit. */
    record Line(Instant time, String unit, String id, String jobType, long job, JsonObject fields, String message) {
        String field(String name) {
            return text(fields, name);
        }
    }

    /** An end of the unit, as far as the journal tells it. */
    static final class Ended {
        @Nullable
        Instant started;

        @Nullable
        Instant stopping;

        @Nullable
        Instant killed;

        Instant ended = Instant.EPOCH;
        long stopJob = -1;
        String jobType = "";
        String result = "";
        String phase = "";
        /** That a client of systemd asked for; 0 for none. */
        int clientSignal;

        UnitState.@Nullable StartFailure startFailure;
        boolean oom;
        boolean runtimeLimit;
        boolean coreDumped;
        /** 0 if it is not known. */
        int signal;
        /** -1 if it is not known. */
        int code = -1;
        /** Of the process that systemd says it killed first, or of the main process. */
        int pid;

        String comm = "";

        boolean byClient() {
            return clientSignal > 0 && clientSignal == (signal > 0 ? signal : code - 128);
        }

        /** Nothing was said since the end before: systemd repeats its result when it gives up starting the unit. */
        boolean isBlank() {
            return started == null && stopping == null && ended.equals(Instant.EPOCH);
        }

        /** From the request to stop to the kill, or to the end. */
        @Nullable
        Duration waited() {
            return stopping == null ? null : Duration.between(stopping, killed == null ? ended : killed);
        }
    }

    private final String unit;
    private final List<Ended> ends = new ArrayList<>();
    private Ended open = new Ended();

    private UnitJournal(String unit) {
        this.unit = unit;
    }

    /** The ends of a unit, oldest first. */
    static List<Ended> ends(String unit, List<Line> lines) {
        UnitJournal journal = new UnitJournal(unit);
        lines.stream().filter(line -> line.unit().equals(unit)).forEach(journal::add);
        return journal.ends;
    }

    /** The lines of systemd that {@code journalctl -o json} printed; others are skipped. */
    static List<Line> lines(String json) {
        Gson gson = new Gson();
        List<Line> lines = new ArrayList<>();
        json.lines().filter(line -> line.startsWith("{")).forEach(line -> {
            try {
                JsonObject fields = gson.fromJson(line, JsonObject.class);
                if (isOfSystemd(fields) && !text(fields, "UNIT").isEmpty()) {
                    lines.add(line(fields));
                }
            } catch (JsonParseException | NumberFormatException e) {
                // A line that was cut: nothing is known of it.
            }
        });
        return lines;
    }

    /** Whether process 1 wrote it, or the process that it is about, which can speak for no other unit. */
    private static boolean isOfSystemd(JsonObject fields) {
        return text(fields, "_PID").equals("1")
                || (text(fields, "MESSAGE_ID").equals(SPAWN_FAILED)
                        && (text(fields, "_SYSTEMD_UNIT").isEmpty()
                                || text(fields, "_SYSTEMD_UNIT").equals(text(fields, "UNIT"))));
    }

    private static Line line(JsonObject fields) {
        String source = text(fields, "_SOURCE_REALTIME_TIMESTAMP");
        long micros = Long.parseLong(source.isEmpty() ? text(fields, "__REALTIME_TIMESTAMP") : source);
        String job = text(fields, "JOB_ID");
        return new Line(
                Instant.ofEpochSecond(micros / 1_000_000, micros % 1_000_000 * 1000),
                text(fields, "UNIT"),
                text(fields, "MESSAGE_ID"),
                text(fields, "JOB_TYPE"),
                job.isEmpty() ? -1 : Long.parseLong(job),
                fields,
                text(fields, "MESSAGE"));
    }

    /** A field; empty if it is absent or, as a message with strange bytes, no text. */
    private static String text(JsonObject fields, String name) {
        JsonElement value = fields.get(name);
        return value != null && value.isJsonPrimitive() ? value.getAsString() : "";
    }

    private void add(Line line) {
        String said =
                line.message().startsWith(unit + ": ") ? line.message().substring(unit.length() + 2) : line.message();
        switch (line.id()) {
            case STARTING, STARTED -> {
                if (line.id().equals(STARTING) || open.started == null) {
                    // The process that cannot become the program may say so before systemd says that it started it.
                    UnitState.StartFailure failure = line.id().equals(STARTED) ? open.startFailure : null;
                    open = new Ended();
                    open.started = line.time();
                    open.startFailure = failure;
                }
            }
            case STOPPING -> {
                open.stopping = line.time();
                open.jobType = line.jobType();
                open.stopJob = line.job();
            }
            case PROCESS_EXIT -> {
                if (said.startsWith("Main process exited")) {
                    exited(line);
                }
            }
            case SPAWN_FAILED -> {
                Matcher failure = START_FAILURE.matcher(said);
                if (failure.matches()) {
                    String errno = line.field("ERRNO");
                    open.startFailure = new UnitState.StartFailure(
                            failure.group(1), errno.matches("\\d{1,4}") ? Integer.parseInt(errno) : 0);
                }
            }
            case FAILED -> {
                if (ends.isEmpty() || !open.isBlank()) {
                    close(line, line.field("UNIT_RESULT"));
                }
            }
            case DEACTIVATED -> close(line, "success");
            case STOPPED -> {
                // A restart is a job of type stop until the unit is down.
                if (!ends.isEmpty() && line.job() >= 0 && line.job() == ends.getLast().stopJob) {
                    ends.getLast().jobType = line.jobType();
                }
            }
            case OOM -> open.oom = true;
            default -> addText(line, said);
        }
    }

    private void exited(Line line) {
        open.ended = line.time();
        String status = line.field("EXIT_STATUS").split("/", 2)[0];
        if (!status.matches("\\d{1,3}")) {
            return;
        }
        int number = Integer.parseInt(status);
        if (line.field("EXIT_CODE").equals("exited")) {
            open.code = number;
        } else {
            open.signal = number;
            open.code = 128 + number;
            open.coreDumped = line.field("EXIT_CODE").equals("dumped");
        }
    }

    private void addText(Line line, String said) {
        Matcher killing = KILLING.matcher(said);
        Matcher onRequest = ON_REQUEST.matcher(said);
        if (killing.matches()) {
            if (open.killed == null) {
                open.killed = line.time();
                setProcess(killing.group(1), killing.group(2));
            }
        } else if (onRequest.matches()) {
            open.clientSignal = Signals.number(onRequest.group(1));
            setProcess(onRequest.group(2), onRequest.group(3));
        } else if (said.startsWith("start operation timed out")) {
            open.phase = "start";
        } else if (said.startsWith("State 'stop-") && said.contains("timed out") && open.phase.isEmpty()) {
            open.phase = "stop";
        } else if (said.startsWith("Service reached runtime time limit")) {
            open.runtimeLimit = true;
            open.phase = "runtime";
        }
    }

    private void setProcess(String pid, String comm) {
        open.pid = Integer.parseInt(pid);
        open.comm = comm;
    }

    /** A service that ended well and that nobody stopped is no end to explain. */
    private void close(Line line, String result) {
        open.result = result;
        if (open.ended.equals(Instant.EPOCH)) {
            open.ended = line.time();
        }
        if (!result.equals("success") || open.stopping != null) {
            ends.add(open);
        }
        open = new Ended();
    }
}
