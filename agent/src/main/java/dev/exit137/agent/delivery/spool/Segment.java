package dev.exit137.agent.delivery.spool;

import dev.exit137.proto.state.v1.SpoolSegment;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/** What the spool knows of one of its files. */
final class Segment {
  final long id;
  final Path file;
  /** Bytes of it that are on the disk and hold whole records. */
  long length;
  /** Whole records in it, but for those that were acknowledged before this run. */
  int records;
  /** Not all of it could be looked at after the start: it is not appended to, and left for the next run. */
  boolean isUnreadable;
  /** Where the next record to be read begins. */
  long readOffset;
  /** Of {@link #records}, those that were read. */
  int read;
  /** Those that were read and are not done: offset and number. */
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

  /** Records that are not done. */
  int remaining() {
    return records - read + waiting.size();
  }

  /** All before the oldest record that is not done needs no memory. */
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
