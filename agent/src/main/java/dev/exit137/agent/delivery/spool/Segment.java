package dev.exit137.agent.delivery.spool;

import dev.exit137.proto.state.v1.SpoolSegment;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/** The state of one file of the spool. */
final class Segment {
    final long id;
    final Path file;
    /** Size of the whole records that are on the disk, bytes. */
    long length;
    /** Number of whole records, without those that were acknowledged before this run. */
    int records;
    /**
     * True if the file could not be read to its end at the start: it is not appended to, and is left for the next run.
     */
    boolean isUnreadable;
    /** Offset of the next record to read. */
    long readOffset;
    /** The number of {@link #records} that were read. */
    int read;
    /** Records that were read and are not done: offset, and number within the file. */
    final TreeMap<Long, Integer> waiting = new TreeMap<>();

    Segment(long id, Path file) {
        this.id = id;
        this.file = file;
    }

    boolean isRead() {
        return read == records;
    }

    boolean isDone() {
        return isRead() && waiting.isEmpty();
    }

    /** Returns the number of records that are not done. */
    int remaining() {
        return records - read + waiting.size();
    }

    /** Returns the state for the checkpoint: it starts at the oldest record that is not done. */
    SpoolSegment toRemember() {
        Map.Entry<Long, Integer> oldest = waiting.firstEntry();
        return SpoolSegment.newBuilder()
                .setId(id)
                .setOffset(oldest == null ? readOffset : oldest.getKey())
                .setRecords(records - (oldest == null ? read : oldest.getValue()))
                .setLength(length)
                .build();
    }
}
