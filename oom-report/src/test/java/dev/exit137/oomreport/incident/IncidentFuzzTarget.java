package dev.exit137.oomreport.incident;

import dev.exit137.oomreport.event.Attribution;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.oomreport.event.EventIds;
import dev.exit137.oomreport.parse.OomLine;
import dev.exit137.oomreport.parse.OomLine.Kind;
import dev.exit137.oomreport.parse.OomLineParser;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import java.time.Instant;

/** Lines in any order make incidents that begin and end, and as many kills as there are killed lines. */
public final class IncidentFuzzTarget implements IncidentAssembler.Sink {
    private static final EventFactory EVENTS = new EventFactory(Node.getDefaultInstance(), EventIds.ofBoot("boot"));
    private static final EventFactory.Times TIMES = new EventFactory.Times(1, null, Instant.EPOCH, false);
    private static final long LONG_AFTER_MICROS = 60_000_000;

    private int killedLines;
    private int kills;
    private int repeated;
    private int begun;
    private int closed;

    private IncidentFuzzTarget() {}

    /** Called by Jazzer. A line that begins with a tabulator comes long after the one before. */
    public static void fuzzerTestOneInput(byte[] input) {
        IncidentFuzzTarget sink = new IncidentFuzzTarget();
        sink.run(input);
        check(sink.begun == sink.closed, sink.begun + " incidents begun, closed " + sink.closed);
        check(
                sink.kills + sink.repeated == sink.killedLines,
                sink.killedLines + " killed lines, " + sink.kills + " kills, repeated " + sink.repeated);
    }

    private void run(byte[] input) {
        IncidentAssembler assembler = new IncidentAssembler(this);
        OomLineParser parser = new OomLineParser();
        OomLine line = new OomLine();
        long micros = 0;
        int start = 0;
        for (int end = 0; end <= input.length; end++) {
            if (end == input.length || input[end] == '\n') {
                boolean late = start < end && input[start] == '\t';
                micros += late ? LONG_AFTER_MICROS : 1;
                parser.parse(input, late ? start + 1 : start, end, line);
                killedLines += line.kind() == Kind.KILLED ? 1 : 0;
                assembler.onLine(line, start, micros);
                start = end + 1;
            }
        }
        assembler.close();
    }

    @Override
    public void onBegun(OomIncident incident) {
        begun++;
    }

    @Override
    public boolean isGroupMember(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
        return killed.pid() % 2 == 0;
    }

    @Override
    public void onKill(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
        kills++;
        OomKillEvent event = EVENTS.kill(
                        incident,
                        killed,
                        sequence,
                        Attribution.ofSummary(incident, killed),
                        EventFactory.limit(incident),
                        TIMES)
                .build();
        check(event.getVictim().getPid() == killed.pid(), "another victim");
        check(event.getIncident().getKillsSoFar() == incident.kills(), "another number of kills");
    }

    @Override
    public void onRepeatedKill(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
        repeated++;
        check(incident.isGroupKill(), "killed twice and no group");
    }

    @Override
    public void onClosed(OomIncident incident) {
        closed++;
        if (incident.kills() == 0) {
            check(
                    !EVENTS.withoutKill(incident, EventFactory.limit(incident), TIMES)
                            .build()
                            .hasVictim(),
                    "a victim");
        }
    }

    private static void check(boolean fine, String what) {
        if (!fine) {
            throw new AssertionError(what);
        }
    }
}
