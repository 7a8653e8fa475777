package dev.exit137.oomreport.dump;

import static dev.exit137.oomreport.parse.Bytes.ascii;

import dev.exit137.oomreport.parse.Bytes;
import dev.exit137.oomreport.parse.TextCursor;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.SlabCache;
import java.util.Comparator;
import java.util.PriorityQueue;

/**
 * The largest unreclaimable caches of the slab allocator (dump_unreclaimable_slab, 4.15).
 *
 * <pre>
 * Unreclaimable slab info:
 * Name                      Used          Total
 * shmem_inode_cache       1622KB       1662KB
 * </pre>
 */
final class SlabTable {
    private static final int MAX_CACHES = 20;
    private static final int MAX_NAME_BYTES = 256;
    private static final byte[] TITLE = ascii("Unreclaimable slab info:");
    private static final byte[] NAME = ascii("Name ");
    private static final byte[] USED = ascii(" Used ");
    private static final byte[] TOTAL = ascii(" Total");
    private static final byte[] KB = ascii("KB");

    /** The smallest first; among equals the one that the kernel printed last. */
    private static final Comparator<Row> SMALLEST_FIRST =
            Comparator.comparingLong(Row::totalBytes).thenComparing(Row::index, Comparator.reverseOrder());

    private record Row(long index, String name, long usedBytes, long totalBytes) {}

    private final PriorityQueue<Row> largest = new PriorityQueue<>(SMALLEST_FIRST);
    private boolean open;
    private long rows;

    /** Reads the line if it is of this block; returns whether it is. */
    boolean onLine(TextCursor line) {
        if (line.rest(TITLE) || (line.at(line.position(), NAME) && line.contains(USED) && line.contains(TOTAL))) {
            open = true;
            return true;
        }
        return open && readRow(line);
    }

    /** Reads from the right, because a name may hold any bytes. */
    private boolean readRow(TextCursor line) {
        int totalStart = columnStart(line, line.skipSpacesBack(line.end()));
        int usedEnd = line.skipSpacesBack(totalStart);
        int usedStart = columnStart(line, usedEnd);
        int nameEnd = line.skipSpacesBack(usedStart);
        int nameStart = line.position();
        if (totalStart < 0
                || usedStart < 0
                || usedEnd == totalStart
                || nameEnd == usedStart
                || nameEnd <= nameStart
                || nameEnd - nameStart > MAX_NAME_BYTES) {
            return false;
        }
        line.position(usedStart);
        long usedBytes = line.nextSizeBytes();
        line.position(totalStart);
        long totalBytes = line.nextSizeBytes();
        if (usedBytes < 0 || totalBytes < 0) {
            return true;
        }
        rows++;
        if (largest.size() == MAX_CACHES) {
            if (totalBytes <= largest.element().totalBytes()) {
                return true;
            }
            largest.remove();
        }
        largest.add(new Row(rows, line.bytesText(nameStart, nameEnd), usedBytes, totalBytes));
        return true;
    }

    /** The start of the {@code 1662KB} that ends at {@code end}, or -1. */
    private static int columnStart(TextCursor line, int end) {
        int digitsEnd = end - KB.length;
        int start = digitsEnd;
        while (start > line.position() && Bytes.isDigit(line.byteAt(start - 1))) {
            start--;
        }
        return start < digitsEnd && line.at(digitsEnd, KB) ? start : -1;
    }

    void addTo(Incident.Builder incident) {
        largest.stream()
                .sorted(SMALLEST_FIRST.reversed())
                .forEach(row -> incident.addSlabCaches(SlabCache.newBuilder()
                        .setName(row.name())
                        .setUsedBytes(row.usedBytes())
                        .setTotalBytes(row.totalBytes())));
    }
}
