package dev.exit137.agent.systemd;

import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import dev.exit137.exitreport.facts.JournalLine;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Follows systemd's own lines in the journal: {@code journalctl} reads the journal's files, in which only journald writes.
 * {@link #read} blocks until the process ends; the counts are for any thread.
 */
final class JournalReader implements AutoCloseable {
    private static final String FIELDS =
            "MESSAGE,MESSAGE_ID,UNIT,INVOCATION_ID,EXIT_CODE,EXIT_STATUS,UNIT_RESULT,JOB_TYPE,"
                    + "JOB_ID,ERRNO,_PID,_TRANSPORT,_SYSTEMD_UNIT";
    /** An end of now may have begun before: a stop with its grace period. */
    private static final Duration BEFORE = Duration.ofMinutes(5);

    private final Consumer<JournalLine> lines;
    private volatile Instant since;
    private volatile @Nullable Process process;
    private volatile long lies;
    private volatile long notUnderstood;

    /**
     * @param since the first time of interest
     * @param lines receives each line, on the thread that calls {@link #read}
     */
    JournalReader(Instant since, Consumer<JournalLine> lines) {
        this.since = since.isBefore(Instant.EPOCH.plus(BEFORE)) ? Instant.EPOCH : since.minus(BEFORE);
        this.lines = lines;
    }

    /**
     * systemd's own lines, and those that say what only systemd can say: the ones of others are counted as lies. A time and
     * not a cursor, because D-Bus tells of the same time; a line that comes twice does no harm.
     */
    static List<String> command(Instant since) {
        List<String> command = new ArrayList<>(List.of(
                "journalctl",
                "--output=json",
                "--follow",
                "--no-tail",
                "--since=@" + since.getEpochSecond(),
                "--output-fields=" + FIELDS,
                "_PID=1",
                "+"));
        JournalLine.MESSAGE_IDS.forEach(id -> command.add("MESSAGE_ID=" + id));
        return command;
    }

    /** Reads until the process ends, or is ended; when called again, from the last line on. */
    void read() throws IOException {
        Process started = new ProcessBuilder(command(since))
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        process = started;
        try (BufferedReader text = started.inputReader(StandardCharsets.UTF_8)) {
            for (String line = text.readLine(); line != null; line = text.readLine()) {
                accept(line);
            }
        } finally {
            started.destroy();
        }
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // One thread writes.
    void accept(String line) {
        Map<String, String> fields = fields(line);
        if (fields == null) {
            notUnderstood++;
        } else if (JournalLine.isLie(fields)) {
            lies++;
        } else {
            JournalLine.of(fields).ifPresent(found -> {
                since = found.time();
                lines.accept(found);
            });
        }
    }

    /**
     * Reads a line of {@code journalctl --output=json}. A field that occurs twice is an array, a field that is no text an
     * array of numbers, and a field of more than 4096 bytes null: such fields are left out.
     *
     * @return null if the line is not of that form
     */
    static @Nullable Map<String, String> fields(String line) {
        Map<String, String> fields = new HashMap<>();
        try (JsonReader json = new JsonReader(new StringReader(line))) {
            json.beginObject();
            while (json.hasNext()) {
                String name = json.nextName();
                if (json.peek() == JsonToken.STRING) {
                    fields.put(name, json.nextString());
                } else {
                    json.skipValue();
                }
            }
            json.endObject();
            return fields;
        } catch (IOException | IllegalStateException e) {
            return null;
        }
    }

    /** Returns the number of lines that said what only systemd can say, and were not systemd's. */
    long lies() {
        return lies;
    }

    long notUnderstood() {
        return notUnderstood;
    }

    @Override
    public void close() {
        Process present = process;
        if (present != null) {
            present.destroy();
        }
    }
}
