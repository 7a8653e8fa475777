package dev.exit137.cli.analyze;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.JsonFormat;
import dev.exit137.cli.Main;
import dev.exit137.cli.terminal.StopSignal;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** One call of {@code exit137 analyze}, and what it said. */
record Analysis(int exitCode, String out, String err) {

    /** Through the whole command line. */
    static Analysis run(String... args) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        List<String> all = new ArrayList<>(List.of("analyze"));
        all.addAll(List.of(args));
        int exitCode = Main.run(terminal(out, err), all.toArray(String[]::new));
        return new Analysis(exitCode, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
    }

    private static Terminal terminal(ByteArrayOutputStream out, ByteArrayOutputStream err) {
        return new Terminal(
                new PrintStream(out, false, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                Map.of(),
                InstantSource.system(),
                ZoneOffset.UTC,
                new StopSignal(Set.of()));
    }

    /** What stdout has, taken as JSON Lines. */
    List<OomKillEvent> events() {
        return out.lines().map(Analysis::event).toList();
    }

    private static OomKillEvent event(String json) {
        try {
            OomKillEvent.Builder event = OomKillEvent.newBuilder();
            JsonFormat.parser().merge(json, event);
            return event.build();
        } catch (InvalidProtocolBufferException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** What a log says, without the command line. */
    static List<AnalyzedIncident> incidents(String log) {
        return incidents(log.getBytes(StandardCharsets.UTF_8), 1 << 14);
    }

    static List<AnalyzedIncident> incidents(byte[] log, int bufferBytes) {
        List<AnalyzedIncident> incidents = new ArrayList<>();
        LogCorrelator correlator = new LogCorrelator(incidents::add);
        try {
            new LogReader(correlator, bufferBytes).read(new ByteArrayInputStream(log));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        correlator.close();
        return incidents;
    }

    static List<OomKillEvent> events(String log) {
        return incidents(log).stream()
                .flatMap(incident -> incident.events().stream())
                .toList();
    }

    static List<Integer> victims(String log) {
        return victims(events(log));
    }

    static List<Integer> victims(List<OomKillEvent> events) {
        return events.stream()
                .filter(event -> event.getOutcome() == Outcome.KILLED)
                .map(event -> event.getVictim().getPid())
                .toList();
    }
}
