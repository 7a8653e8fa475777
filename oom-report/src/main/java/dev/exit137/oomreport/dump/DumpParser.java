package dev.exit137.oomreport.dump;

import static dev.exit137.oomreport.parse.Bytes.ascii;
import static dev.exit137.oomreport.parse.OomLine.ABSENT;

import dev.exit137.oomreport.parse.TextCursor;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.MemoryBreakdown;
import dev.exit137.proto.v1.NodeMemory;
import dev.exit137.proto.v1.Victim;
import java.util.OptionalLong;

/**
 * Reads the long blocks of one report of any kernel, line by line. Accepts any bytes without an exception, and keeps a
 * bounded amount. Belongs to one thread.
 *
 * <p>The parser judges only the text; the caller checks that it comes from the kernel.
 */
public final class DumpParser {
    private static final long DEFAULT_PAGE_BYTES = 4096;

    private static final byte[][] HEADINGS = {
        ascii("Mem-Info:"),
        ascii("Mem-info:"),
        ascii("Tasks state (memory values in pages):"),
        ascii("Memory allocations:"),
        ascii("Memory allocations (profiling is currently turned o"),
        ascii("Memory cgroup min protection "),
    };
    private static final byte[] CPU = ascii("CPU ");
    private static final byte[] HIGH_OF_CPU = ascii(": hi:");
    private static final byte[] HOT_OF_CPU = ascii(": Hot: hi:");

    private final long pageSizeBytes;
    private final TextCursor line = new TextCursor();
    private final TaskTable tasks = new TaskTable();
    private final FreeAreas zones = new FreeAreas();
    private final MemInfo memInfo = new MemInfo();
    private final SlabTable slab = new SlabTable();
    private final MemcgStats memcg = new MemcgStats();

    /** For a report of a machine of unknown page size. */
    public DumpParser() {
        this(ABSENT);
    }

    /** @param pageSizeBytes page size of the report's machine */
    public DumpParser(long pageSizeBytes) {
        this.pageSizeBytes = pageSizeBytes;
    }

    /** Reads lines, each ended by a newline: messages as they are in records of /dev/kmsg. */
    public void onText(byte[] text, int length) {
        int start = 0;
        for (int i = 0; i < length; i++) {
            if (text[i] == '\n') {
                onLine(text, start, i);
                start = i + 1;
            }
        }
        onLine(text, start, length);
    }

    /**
     * Reads one line of the kernel's text, buffer[from, to), without prefix or newline.
     *
     * @return whether it is a line of one of the blocks
     */
    public boolean onLine(byte[] buffer, int from, int to) {
        line.wrap(buffer, from, to).trimLineBreak();
        line.skipSpaces();
        int start = line.position();
        if (line.atEnd()) {
            return false;
        }
        if (line.peek() == '[') {
            return tasks.onLine(line) && memcgEnds();
        }
        if (memcg.onLine(line)) {
            return true;
        }
        line.position(start);
        if (slab.onLine(line)) {
            return memcgEnds();
        }
        line.position(start);
        if (zones.onLine(line)) {
            return memcgEnds();
        }
        line.position(start);
        if (memInfo.onLine(line)) {
            return memcgEnds();
        }
        line.position(start);
        return isHeading() && memcgEnds();
    }

    /** A line of another block was read: a later line that looks like a cgroup's statistic is none. */
    private boolean memcgEnds() {
        memcg.close();
        return true;
    }

    private boolean isHeading() {
        for (byte[] heading : HEADINGS) {
            if (line.at(line.position(), heading)) {
                return true;
            }
        }
        // CPU    0: hi:  186, btch:  31 usd:   9
        return line.skip(CPU) && (line.contains(HIGH_OF_CPU) || line.contains(HOT_OF_CPU));
    }

    /** Adds the values that were read; a value that was not printed stays absent. */
    public void addTo(Incident.Builder incident) {
        addTo(incident, Victim.getDefaultInstance());
    }

    /**
     * Adds the values that were read; a value that was not printed stays absent.
     *
     * @param victim the report's victim; its {@code total-vm} gives the page size where no other value does
     */
    public void addTo(Incident.Builder incident, Victim victim) {
        PageSize pageSize = pageSize(victim);
        tasks.addTo(incident, pageSize);
        slab.addTo(incident);
        memcg.addTo(incident);
        if (!memInfo.isEmpty() || !zones.isEmpty()) {
            NodeMemory.Builder node = NodeMemory.newBuilder();
            memInfo.addTo(node, pageSize);
            zones.addTo(node);
            incident.setNodeMemory(node);
        }
        MemoryBreakdown memory = memcg.isEmpty() ? NodeBreakdown.of(memInfo, zones, pageSize) : memcg.breakdown();
        if (!memory.equals(MemoryBreakdown.getDefaultInstance())) {
            incident.setMemory(memory);
        }
        pageSize.addTo(incident);
    }

    private PageSize pageSize(Victim victim) {
        if (zones.pageBytes().isPresent()) {
            return new PageSize(zones.pageBytes().getAsLong(), false);
        }
        if (pageSizeBytes != ABSENT) {
            return new PageSize(pageSizeBytes, false);
        }
        OptionalLong ofVictim =
                PageSize.ofVictim(victim, tasks.totalVmPages(victim.getPid()).orElse(ABSENT));
        return new PageSize(ofVictim.orElse(DEFAULT_PAGE_BYTES), ofVictim.isEmpty());
    }
}
