package dev.exit137.cli.analyze;

import dev.exit137.oomreport.dump.DumpParser;
import dev.exit137.oomreport.event.Attribution;
import dev.exit137.oomreport.event.CgroupPath;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.oomreport.event.EventIds;
import dev.exit137.oomreport.event.MemoryRequest;
import dev.exit137.oomreport.explain.Explainer;
import dev.exit137.oomreport.incident.IncidentAssembler;
import dev.exit137.oomreport.incident.OomIncident;
import dev.exit137.oomreport.parse.Bytes;
import dev.exit137.oomreport.parse.OomLine;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.NodeMemory;
import dev.exit137.proto.v1.OomKillEvent;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The reports of one source, one after another: their kill-path lines, and the long blocks that the kernel prints
 * before the kill. The agent must report a kill at once; this class delivers an incident at its end.
 */
final class OpenReport implements IncidentAssembler.Sink {
    /** Number of other lines (stacks, registers, other drivers) that may be inside a report before it ends. */
    private static final int MAX_OTHER_LINES = 500;

    private static final int MAX_KILLS = 1024;
    private static final EventFactory EVENTS = new EventFactory(Node.getDefaultInstance(), EventIds.ofLog());
    private static final byte[] ALLOCATION_FAILURE = Bytes.ascii(": page allocation failure");

    private final Consumer<AnalyzedIncident> incidents;
    /** The number of the source of these lines. */
    final long source;

    private final IncidentAssembler assembler = new IncidentAssembler(this);
    private final LogClock clock = new LogClock();
    private final List<OomKillEvent.Builder> events = new ArrayList<>();

    /** Blocks of the current report; after a kill, those of the open incident. */
    private @Nullable DumpParser blocks;

    private @Nullable DumpParser blocksOfIncident;
    private long wantedUntil;
    private long othersUntil;

    /** The current line. */
    private LogLine line = new LogLine();

    private OomLine.Kind kind = OomLine.Kind.NONE;
    private long suppressedBefore;

    /** Fields of the open incident. */
    private long firstNumber;

    private long lastNumber;
    private long suppressed;
    private String printedTime = "";
    private String host = "";
    private String kernelRelease = "";
    private EventFactory.Times firstTimes = line.times();

    OpenReport(Consumer<AnalyzedIncident> incidents, long source) {
        this.incidents = incidents;
        this.source = source;
    }

    /** Whether the line with that number is wanted, whatever its content, because it may be part of a block. */
    boolean wants(long number) {
        return number <= wantedUntil;
    }

    /** Ends the source: delivers the open incident. */
    void close() {
        assembler.close();
    }

    /** Ends an incident without a line for long, so that it is reported while the log is still being read. */
    void closeIfQuiet(long number) {
        if (number - lastNumber > MAX_OTHER_LINES && !wants(number)) {
            assembler.close();
        }
    }

    /**
     * A line that the kill-path parser knows.
     *
     * @param hash of the line
     * @param suppressedBefore number of reports that the kernel left out before this line, as it says
     */
    void onReportLine(OomLine parsed, LogLine line, long hash, long suppressedBefore) {
        if (!clock.isWithinReport(line)) {
            assembler.close();
        }
        this.line = line;
        this.suppressedBefore = suppressedBefore;
        kind = parsed.kind();
        assembler.onLine(parsed, hash, clock.advance(line));
        if (!assembler.isOpen()) {
            return;
        }
        lastNumber = line.number;
        KernelText text = line.text;
        if (assembler.isInHead()) {
            blocks().onLine(text.line, text.from, text.end); // the cgroup's lines are of both
        }
        if (kind == OomLine.Kind.TRIGGER_CPU && assembler.incident().triggerPid() == parsed.pid()) {
            kernelRelease = KernelRelease.of(text.line, text.from, text.end);
        }
        wantedUntil = assembler.isInHead() ? line.number + MAX_OTHER_LINES : 0;
        if (events.size() == MAX_KILLS) {
            assembler.close();
        }
    }

    /** Handles any other line, which may be part of a block or not. */
    void onOtherLine(LogLine line) {
        KernelText text = line.text;
        if (!assembler.isInHead()) {
            if (Bytes.find(text.line, text.from, text.end, ALLOCATION_FAILURE) >= 0) {
                // It shows the node's memory, too.
                othersUntil = line.number + MAX_OTHER_LINES;
                blocks = null;
            }
            if (line.number <= othersUntil) {
                return;
            }
        }
        if (blocks().onLine(text.line, text.from, text.end)) {
            wantedUntil = line.number + MAX_OTHER_LINES;
            clock.advance(line);
        }
    }

    private DumpParser blocks() {
        if (blocks == null) {
            blocks = new DumpParser();
        }
        return blocks;
    }

    @Override
    public void onBegun(OomIncident incident) {
        firstNumber = line.number;
        firstTimes = line.times();
        printedTime = line.printedTime();
        host = line.text.host();
        suppressed = suppressedBefore;
        kernelRelease = "";
        if (kind == OomLine.Kind.INVOKED) {
            blocks = null;
        }
    }

    @Override
    public boolean isGroupMember(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
        return true;
    }

    @Override
    public void onKill(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
        if (events.isEmpty()) {
            blocksOfIncident = blocks;
            blocks = null;
        }
        Attribution attribution = Attribution.ofSummary(incident, killed);
        events.add(EVENTS.kill(incident, killed, sequence, attribution, EventFactory.limit(incident), line.times()));
    }

    @Override
    public void onRepeatedKill(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
        // The incident counts it.
    }

    @Override
    public void onClosed(OomIncident incident) {
        if (events.isEmpty()) {
            blocksOfIncident = blocks;
            blocks = null;
            events.add(EVENTS.withoutKill(incident, EventFactory.limit(incident), firstTimes));
        }
        Incident told = told(incident);
        List<OomKillEvent> whole =
                events.stream().map(event -> complete(event, told)).toList();
        events.clear();
        blocksOfIncident = null;
        incidents.accept(new AnalyzedIncident(whole, printedTime, firstNumber, lastNumber, suppressed));
    }

    /** The data that only the end of the report has, once for all events of the incident. */
    private Incident told(OomIncident incident) {
        var told = Incident.newBuilder();
        if (blocksOfIncident != null) {
            blocksOfIncident.addTo(told, events.getFirst().getVictim());
        }
        return told.setGroupKill(incident.isGroupKill())
                .setKillsSoFar(incident.kills())
                .setRepeatedKillRecords(incident.repeatedKillRecords())
                .build();
    }

    private OomKillEvent complete(OomKillEvent.Builder event, Incident told) {
        EventFactory.addBlocks(event, told);
        event.getNodeBuilder().setName(host).setKernelRelease(kernelRelease);
        CgroupPath.describe(event);
        NodeMemory memory = event.getIncident().getNodeMemory();
        MemoryRequest.estimate(event, memory.getRamBytes() - memory.getReservedBytes());
        Explainer.explain(event);
        return event.build();
    }
}
