package dev.exit137.agent.delivery.spool;

import com.google.protobuf.ByteString;
import dev.exit137.proto.state.v1.SpoolSegment;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A queue of records in the files ("segments") of one directory. Records are appended to the last segment and read in
 * the same order; each is done when it may be forgotten. A segment is deleted when it is not the last and all of its
 * records are done, or to make room. Memory holds positions only, no payloads. Agent-worker thread.
 *
 * <pre>
 * directory
 *   0000000000000001.v1   oldest segment: its number in 16 hexadecimal digits
 *   0000000000000002.v1   newest segment: the only one that is appended to
 *
 * segment                 at most max(256 KiB, limit / 64), unless its first batch is larger
 *   record | record | …   from offset 0, without a gap; the file has no header and no trailer
 *
 * record
 *   offset  bytes
 *   0       4             n, the length of the payload: big endian, at least 1
 *   4       4             CRC32C of the length field and the payload, big endian
 *   8       n             payload; the outbox stores a serialized OomKillEvent
 * </pre>
 *
 * <p>The files do not show which records are done: the checkpoint does ({@link #toRemember}). The format is ours
 * because the agent only appends, reads in order and deletes the oldest: an embedded database would bring more memory
 * and more code, often native, to each node.
 */
public final class Spool implements AutoCloseable {
    public static final long MIN_BYTES = 4L << 20;

    private static final Logger LOG = LoggerFactory.getLogger(Spool.class);
    private static final Pattern NAME = Pattern.compile("([0-9a-f]{16})\\.v1");
    private static final int SEGMENTS = 64;
    private static final long MIN_SEGMENT_BYTES = 256L << 10;

    /** A record that was read; {@link #done} takes its position later. */
    public record Item(Position position, ByteString payload) {}

    /**
     * A segment that was deleted to make room.
     *
     * @param records number of its records that were not done
     */
    public record Dropped(long segment, int records) {}

    private final Path directory;
    private final long maxBytes;
    private final long segmentBytes;
    private final TreeMap<Long, Segment> segments = new TreeMap<>();

    private long nextId = 1;
    private @Nullable Segment last;
    private @Nullable RecordFile writing;
    private @Nullable Segment current;
    private @Nullable RecordFile reading;
    private long damaged;

    /**
     * Touches no file yet.
     *
     * @param maxBytes maximum size of all files together; at least {@link #MIN_BYTES}
     */
    public Spool(Path directory, long maxBytes) {
        this.directory = directory;
        this.maxBytes = maxBytes;
        segmentBytes = Math.max(MIN_SEGMENT_BYTES, maxBytes / SEGMENTS);
    }

    // ---- after a start

    /**
     * Finds the records that an earlier run left. An incomplete record at the end of a segment is cut off before the next
     * append. A damaged record is skipped, and counted once if it was whole at the last checkpoint. If a segment cannot
     * be read to its end, the records before that are kept.
     *
     * @param remembered the segments in the last checkpoint
     * @param found receives every record that will be read
     */
    public void recover(List<SpoolSegment> remembered, Consumer<Item> found) {
        Map<Long, SpoolSegment> before = new HashMap<>();
        for (SpoolSegment segment : remembered) {
            before.put(segment.getId(), segment);
            nextId = Math.max(nextId, segment.getId() + 1);
        }
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
            for (Path file : files) {
                Matcher name = NAME.matcher(file.getFileName().toString());
                if (name.matches()) {
                    long id = Long.parseUnsignedLong(name.group(1), 16);
                    segments.put(id, new Segment(id, file));
                }
            }
        } catch (NoSuchFileException e) {
            LOG.debug("there is no spool yet", e);
        } catch (IOException | DirectoryIteratorException e) {
            LOG.error("the spool cannot be read: {}", e.toString());
        }
        for (Segment segment : segments.values()) {
            scan(segment, before.getOrDefault(segment.id, SpoolSegment.getDefaultInstance()), found);
        }
        for (SpoolSegment gone : before.values()) {
            if (!segments.containsKey(gone.getId())) {
                damaged(gone.getRecords(), directory.resolve(name(gone.getId())), "it is not there");
            }
        }
        if (!segments.isEmpty()) {
            nextId = Math.max(nextId, segments.lastKey() + 1);
            Segment newest = segments.lastEntry().getValue();
            last = newest.isUnreadable ? null : newest;
        }
    }

    private void scan(Segment segment, SpoolSegment before, Consumer<Item> found) {
        int ofBefore = 0;
        String reason = "a checksum or a length is wrong";
        try (RecordFile file = RecordFile.toRead(segment.file)) {
            long end = file.size();
            long at = Math.clamp(before.getOffset(), 0, end);
            segment.length = at;
            segment.readOffset = at;
            for (RecordFile.Found one = file.read(at, end); one != null; one = file.read(one.end(), end)) {
                segment.records++;
                segment.length = one.end();
                if (one.end() <= before.getLength()) {
                    ofBefore++;
                }
                found.accept(new Item(new Position(segment.id, one.offset()), one.payload()));
            }
            if (segment.length < end) {
                LOG.info("{} ends with {} bytes that were not written whole", segment.file, end - segment.length);
            }
        } catch (IOException e) {
            reason = e.toString();
            segment.isUnreadable = true;
        }
        damaged(before.getRecords() - ofBefore, segment.file, reason);
    }

    private void damaged(int records, Path file, String reason) {
        if (records > 0) {
            damaged += records;
            LOG.error("{} events in {} are lost: {}", records, file, reason);
        }
    }

    // ---- appending

    /** Returns the size of a record with this payload, bytes. */
    public static long sizeOf(ByteString payload) {
        return (long) RecordFile.HEADER_BYTES + payload.size();
    }

    /** Returns whether this many more bytes exceed the limit, and there is a segment to drop. */
    public boolean isFullFor(long bytes) {
        return !segments.isEmpty() && bytes() + bytes > maxBytes;
    }

    /** Returns the recommended maximum size of one append, bytes. */
    public long batchBytes() {
        return segmentBytes;
    }

    /** Deletes the oldest segment. */
    public Dropped dropOldest() {
        Segment oldest = segments.firstEntry().getValue();
        if (oldest == last) {
            endLast();
        }
        delete(oldest);
        return new Dropped(oldest.id, oldest.remaining());
    }

    /**
     * Appends records; they are on the disk when this method returns.
     *
     * @return their positions
     * @throws IOException if none of them is in the spool
     */
    public List<Position> append(List<ByteString> payloads) throws IOException {
        List<Position> positions = new ArrayList<>(payloads.size());
        try {
            Segment segment = lastFor(payloads.stream().mapToLong(Spool::sizeOf).sum());
            if (writing == null) {
                writing = RecordFile.toAppend(segment.file, segment.length);
            }
            long end = segment.length;
            for (ByteString payload : payloads) {
                positions.add(new Position(segment.id, end));
                end = writing.write(end, payload);
            }
            writing.sync();
            if (!Files.exists(segment.file)) {
                throw new NoSuchFileException(segment.file.toString(), null, "it was deleted while it was written");
            }
            segment.length = end;
            segment.records += payloads.size();
            return positions;
        } catch (IOException | RuntimeException | Error e) {
            // After a failed sync the content of the file is unknown: nothing more is appended to it.
            abandonLast();
            throw e;
        }
    }

    private Segment lastFor(long bytes) throws IOException {
        if (last != null && (last.length == 0 || last.length + bytes <= segmentBytes)) {
            return last;
        }
        endLast();
        Files.createDirectories(directory);
        long id = nextId++;
        Segment fresh = new Segment(id, directory.resolve(name(id)));
        writing = RecordFile.create(fresh.file);
        segments.put(fresh.id, fresh);
        last = fresh;
        try (FileChannel entries = FileChannel.open(directory, StandardOpenOption.READ)) {
            entries.force(true);
        }
        return fresh;
    }

    private void endLast() {
        last = null;
        close(writing);
        writing = null;
    }

    private void abandonLast() {
        Segment broken = last;
        if (broken != null && writing != null) {
            try {
                writing.cut(broken.length);
            } catch (IOException e) {
                LOG.debug("{} cannot be cut to {} bytes", broken.file, broken.length, e);
            }
        }
        endLast();
        if (broken != null && broken.length == 0) {
            delete(broken);
        }
    }

    private static String name(long id) {
        return "%016x.v1".formatted(id);
    }

    // ---- reading

    /** Returns the next record; null at the end. A record that has become unreadable is counted and skipped. */
    public @Nullable Item next() {
        while (true) {
            if (current == null || current.isRead()) {
                close(reading);
                reading = null;
                current = segments.values().stream()
                        .filter(segment -> !segment.isRead())
                        .findFirst()
                        .orElse(null);
                if (current == null) {
                    return null;
                }
            }
            String reason = "a checksum or a length is wrong";
            try {
                if (reading == null) {
                    reading = RecordFile.toRead(current.file);
                }
                RecordFile.Found found = reading.read(current.readOffset, current.length);
                if (found != null) {
                    current.waiting.put(found.offset(), current.read++);
                    current.readOffset = found.end();
                    return new Item(new Position(current.id, found.offset()), found.payload());
                }
            } catch (IOException e) {
                reason = e.toString();
            }
            damaged(current.records - current.read, current.file, reason);
            current.records = current.read;
            current.readOffset = current.length;
        }
    }

    /** Marks a record that was read as done: it is not needed any more. */
    public void done(Position position) {
        Segment segment = segments.get(position.segment());
        if (segment != null) {
            segment.waiting.remove(position.offset());
        }
    }

    /** Deletes the segments that are done; call it after a checkpoint. */
    public void deleteDone() {
        for (Segment segment : List.copyOf(segments.values())) {
            if (segment.isDone() && segment != last && !segment.isUnreadable) {
                delete(segment);
            }
        }
    }

    private void delete(Segment segment) {
        if (segment == current) {
            close(reading);
            reading = null;
            current = null;
        }
        segments.remove(segment.id);
        try {
            Files.deleteIfExists(segment.file);
        } catch (IOException e) {
            LOG.warn(
                    "{} cannot be deleted: {}; what is in it may be sent again after a restart",
                    segment.file,
                    e.toString());
        }
    }

    private static void close(@Nullable RecordFile file) {
        if (file != null) {
            try {
                file.close();
            } catch (IOException e) {
                LOG.warn("a file of the spool cannot be closed: {}", e.toString());
            }
        }
    }

    // ---- state

    /** Returns the state of the segments for the checkpoint: the files alone do not show which records are done. */
    public List<SpoolSegment> toRemember() {
        return segments.values().stream().map(Segment::toRemember).toList();
    }

    /** Returns the number of records that are not done. */
    public long remaining() {
        return segments.values().stream().mapToLong(Segment::remaining).sum();
    }

    /** Returns the size of all segments, bytes. */
    public long bytes() {
        return segments.values().stream().mapToLong(segment -> segment.length).sum();
    }

    /** Returns the number of records that could not be read in this run, and are lost. */
    public long damaged() {
        return damaged;
    }

    @Override
    public void close() {
        endLast();
        close(reading);
        reading = null;
    }
}
